import { type NameMap, saveWeights, toTheirs } from '@mmllm/checkpoints';
import type { Module } from '@mmllm/core';
import { crossEntropy } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from '../case';
import type { Comparison } from '../comparison';

/** What the gradients of a case are compared through. */
export interface GradientCheck {
  readonly model: Module;
  readonly names: NameMap;
  /** A second model of the same sizes, without weights: it holds gradients, and saves them in the layout of the file. Freed. */
  readonly holder: Module;
  /** How a case calls the gradient of a tensor of the file. */
  readonly nameOf: (key: string) => string;
  /** float32[B · T, vocabulary] of the whole model. */
  readonly logits: () => tf.Tensor2D;
  /** What the loss has beside the cross-entropy. */
  readonly more?: () => tf.Scalar;
  /** Whether gradients are held against the largest value of their tensor: see `Comparison.giveOfLargest`. */
  readonly ofLargest?: boolean;
}

/** Compares `out.loss`, the cross-entropy of `in.labels`, and every gradient that the case names, if any. */
export async function compareGradients(
  { model, names, holder, nameOf, logits, more, ofLargest }: GradientCheck,
  golden: ParityCase,
  comparison: Comparison,
): Promise<void> {
  const wanted = (key: string) => comparison.wants(nameOf(key));
  const parameters = [...model.namedParameters()].filter(([path, { shape }]) =>
    toTheirs(names, path, shape[0]).some(({ key }) => wanted(key)),
  );
  const targets = shiftedLabels(await golden.ints('in.labels'));
  const loss = () =>
    tf.tidy(() => {
      const entropy = crossEntropy(logits(), targets);
      return more ? tf.add<tf.Scalar>(entropy, more()) : entropy;
    });
  if (parameters.length === 0) return comparison.giveAll({ 'out.loss': loss() });
  const { value, grads } = tf.variableGrads(
    loss,
    parameters.map(([, parameter]) => parameter.value),
  );
  await comparison.giveAll({ 'out.loss': value });
  for (const [path, parameter] of parameters) holder.parameter(path).assign(grads[parameter.value.name]);
  tf.dispose(grads);
  await giveHeld({ holder, names, nameOf, ofLargest }, comparison);
}

/** Compares the gradients that a second model holds in place of its weights, and frees it. */
export async function giveHeld(
  { holder, names, nameOf, ofLargest }: Pick<GradientCheck, 'holder' | 'names' | 'nameOf' | 'ofLargest'>,
  comparison: Comparison,
): Promise<void> {
  comparison.own(holder);
  for (const [key, { shape, read }] of saveWeights(holder, names)) {
    if (!comparison.wants(nameOf(key))) continue;
    const gradient = { shape, data: (await read()) as Float32Array };
    if (ofLargest) await comparison.giveOfLargest(nameOf(key), gradient);
    else await comparison.give(nameOf(key), gradient);
  }
}

/** The model shifts: what stands at t + 1 is the target of t. */
export function shiftedLabels({
  data,
  shape: [, length],
}: Awaited<ReturnType<ParityCase['ints']>>): Int32Array {
  return data.map((_, i) => (i % length === length - 1 ? -100 : data[i + 1]));
}
