import type { Module } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

export interface GradientCheck {
  /** Parameters that the loss does not depend on. */
  skip?: (path: string) => boolean;
  /** Of the gradient's length. Default 2e-3. */
  tolerance?: number;
}

/**
 * Compares each parameter's gradient with the slope of the loss along it, a fourth-order difference. A message for
 * each that differs; none is expected to be zero, but for those that are skipped.
 */
export async function wrongGradients(
  module: Module,
  loss: () => tf.Scalar,
  { skip = () => false, tolerance = 2e-3 }: GradientCheck = {},
): Promise<string[]> {
  const named = [...module.namedParameters()].filter(([path]) => !skip(path));
  const { value, grads } = tf.variableGrads(
    loss,
    named.map(([, parameter]) => parameter.value),
  );
  const wrong: string[] = [];
  for (const [path, parameter] of named) {
    const gradient = grads[parameter.value.name].dataSync();
    const values = await parameter.read();
    const norm = Math.hypot(...gradient);
    const lossAt = (distance: number) => {
      parameter.assign(values.map((x, i) => x + (distance * gradient[i]) / norm));
      return tf.tidy(() => loss().dataSync()[0]);
    };
    const h = 1.5e-3 * Math.max(1, Math.hypot(...values));
    const slope = (8 * (lossAt(h) - lossAt(-h)) - (lossAt(2 * h) - lossAt(-2 * h))) / (12 * h);
    if (!(Math.abs(slope - norm) < tolerance * norm)) wrong.push(`${path}: slope ${slope}, gradient ${norm}`);
    parameter.assign(values);
  }
  tf.dispose([value, grads]);
  return wrong;
}
