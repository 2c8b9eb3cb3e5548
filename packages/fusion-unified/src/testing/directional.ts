import type { Parameter } from '@mmllm/core';
import type * as tf from '@tensorflow/tfjs-core';

/**
 * The derivative of `loss` along one direction through a parameter: by its gradient, and by fourth-order finite
 * differences. The loss is disposed of.
 */
export async function derivatives(
  parameter: Parameter,
  gradient: tf.Tensor,
  loss: () => tf.Scalar,
  step = 3e-2,
): Promise<{ analytic: number; numeric: number }> {
  const start = await parameter.read();
  // Of length one, or nearly so.
  const direction = start.map((_, i) => Math.sin(i + 1) / Math.sqrt(start.length / 2));
  const at = async (distance: number) => {
    parameter.assign(start.map((value, i) => value + distance * direction[i]));
    const moved = loss();
    const [number] = await moved.data();
    moved.dispose();
    return number;
  };
  const near = (await at(step)) - (await at(-step));
  const far = (await at(2 * step)) - (await at(-2 * step));
  parameter.assign(start);
  const elements = await gradient.data();
  const analytic = direction.reduce((sum, factor, i) => sum + factor * elements[i], 0);
  return { analytic, numeric: (8 * near - far) / (12 * step) };
}
