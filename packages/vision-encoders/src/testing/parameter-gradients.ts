import { checkGradients } from '@mmllm/conformance';
import type { Module } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { isKeyBias } from './zeroing';

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

/** Checks the gradient of an encoder's features for its input, and gives the parameters for which it is wrong. */
export async function wrongFeatureGradients<T extends tf.Tensor>(
  encoder: Module,
  encode: (input: T) => tf.Tensor2D,
  input: T,
): Promise<string[]> {
  await checkGradients(encode, [input], { maxElements: 8, tolerance: 5e-3 });
  const shape = tf.tidy(() => encode(input).shape);
  const weights = tf.randomNormal(shape, 0, 1, 'float32', 6);
  const loss = () => tf.tidy(() => tf.sum(tf.mul(encode(input), weights)) as tf.Scalar);
  const wrong = await wrongGradients(encoder, loss, { skip: isKeyBias, tolerance: 1e-2 });
  weights.dispose();
  return wrong;
}

/**
 * How steeply the loss rises along the gradient of all parameters together, over the gradient's length: 1 where the
 * gradient is right. Reads values without blocking, as webgpu needs.
 * @throws if the gradient is not finite, or hardly anything.
 */
export async function slopeOverGradient(module: Module, loss: () => tf.Scalar): Promise<number> {
  const parameters = [...module.namedParameters()].map(([, parameter]) => parameter);
  const { value, grads } = tf.variableGrads(
    loss,
    parameters.map((parameter) => parameter.value),
  );
  const values = await Promise.all(parameters.map((parameter) => parameter.read()));
  const gradients = await Promise.all(parameters.map((parameter) => grads[parameter.value.name].data()));
  let squares = 0;
  for (const gradient of gradients) for (const value of gradient) squares += value * value;
  const norm = Math.sqrt(squares);
  if (!(norm > 1)) throw new Error(`a gradient of length ${norm}`);

  /** The loss at a distance along the gradient. */
  const lossAt = async (distance: number) => {
    for (const [i, parameter] of parameters.entries()) {
      parameter.assign(values[i].map((x, at) => x + (distance * gradients[i][at]) / norm));
    }
    const moved = loss();
    const [number] = await moved.data();
    moved.dispose();
    return number;
  };
  const step = 1e-3;
  const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
  for (const [i, parameter] of parameters.entries()) parameter.assign(values[i]);
  tf.dispose([value, grads]);
  return slope / norm;
}
