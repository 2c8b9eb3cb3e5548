import { loadWeights } from '@mmllm/checkpoints';
import type { Decoder, DecoderInputs } from '@mmllm/core';
import { decoders, partOf } from '@mmllm/models';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from '../case';
import type { Comparison } from '../comparison';
import type { ParityFamily } from '.';
import { compareGradients } from './gradients';
import { compareGreedy } from './greedy';

/** Hidden states and logits with padding on the left, greedy tokens, loss and gradients of a decoder. */
export const decoder: ParityFamily = async (golden, comparison) => {
  const [reader, json] = partOf({ config: await golden.config() }, 'config', decoders, 'llama');
  const [{ part: model, names }, { part: holder }] = [reader(json), reader(json)];
  await loadWeights(comparison.own(model), await golden.weights(), names);
  const inputs = await inputsOf(golden);
  comparison.own(inputs.mask);
  const embed = (): DecoderInputs => ({ ...inputs, embeddings: model.embed(inputs.ids) });
  await compareStates(model, embed(), inputs.mask, comparison);
  const greedy = embed();
  comparison.own(greedy.embeddings);
  await compareGreedy(model, inputs.ids, greedy, golden, comparison);
  const logits = () => {
    const { hidden } = model.forward(embed());
    return tf.reshape<tf.Rank.R2>(model.logits(hidden), [-1, model.vocabSize]);
  };
  await compareGradients({ model, holder, names, logits, nameOf: gradientName }, golden, comparison);
};

/** Gradients have the names of transformers in memory, which of a few tensors are others than in the file. */
function gradientName(key: string): string {
  const inMemory = key
    .replace(/experts\.fc1\.weight$/, 'experts.gate_up_proj')
    .replace(/experts\.fc2\.weight$/, 'experts.down_proj');
  return `grad.${inMemory}`;
}

async function inputsOf(golden: ParityCase) {
  const ids = await golden.ids('in.ids');
  const [batch, length] = ids.shape;
  const { data: counts } = await golden.ints('in.mask');
  const positions = await golden.ints('in.positions');
  const firstReal = (b: number) => counts.subarray(b * length, (b + 1) * length).indexOf(1);
  return {
    ids,
    positions: { data: positions.data, axes: 1 as const, shape: ids.shape },
    rule: { causal: true, start: Int32Array.from({ length: batch }, (_, b) => firstReal(b)) },
    /** float32[B, T, 1] */
    mask: tf.tensor3d(Float32Array.from(counts), [batch, length, 1]),
  };
}

/** The golden values are zero at padding. Disposes of the embeddings. */
async function compareStates(
  model: Decoder,
  inputs: DecoderInputs,
  mask: tf.Tensor3D,
  comparison: Comparison,
): Promise<void> {
  const { hidden, hiddenStates = [] } = model.forward(inputs, { hiddenStates: true });
  const masked = (x: tf.Tensor) => tf.tidy(() => tf.mul(x, mask));
  await comparison.giveAll({ 'out.logits': tf.tidy(() => tf.mul(model.logits(hidden), mask)) });
  for (const [i, state] of hiddenStates.entries()) {
    await comparison.giveAll({ [`out.hidden.${i}`]: masked(state) });
  }
  tf.dispose([...hiddenStates, hidden, inputs.embeddings]);
}
