import { loadWeights } from '@mmllm/checkpoints';
import { type ModelInputs, type ProcessorFactory, parseConfig, rowsOf, type TokenIds } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { composeLlava } from '../../systems/llava';
import type { ParityCase } from '../case';
import type { Comparison } from '../comparison';
import type { ParityFamily } from '.';
import { compareGradients } from './gradients';
import { compareGreedy } from './greedy';
import { densePictures } from './pictures';

const schema = z.looseObject({ image_token_index: z.int().nonnegative() });

/** LLaVA-1.5, composed from single packages. */
export const llava: ParityFamily = async (golden, comparison) => {
  const { model, names, imageTokenId } = await loadLlava(golden, comparison);
  const { model: holder } = await composeLlava(await golden.config());
  const ids = await golden.ids('in.input_ids');
  const images = densePictures(await golden.floats('in.pixel_values'));
  comparison.own(images.pixels);
  const layout = model.projector!.layout(model.encoder!.layout(images.images));
  const inputs: ModelInputs = {
    ids,
    imageTokenId,
    imagesPerSample: imagesPerSample(ids, imageTokenId, rowsOf(layout[0]).count),
    images,
  };
  await comparison.giveAll({ 'out.features': model.encodeImages(images).features });
  await comparison.giveAll({ 'out.logits': model.forward(inputs) });
  const fused = model.fuse(inputs);
  comparison.own(fused.embeddings);
  if (fused.dispose) comparison.own({ dispose: fused.dispose });
  await compareGreedy(model.decoder, ids, fused, golden, comparison);
  const logits = () => tf.reshape<tf.Rank.R2>(model.forward(inputs), [-1, model.decoder.vocabSize]);
  await compareGradients(
    { model, holder, names, logits, nameOf: (key) => `grad.${inMemory(key)}` },
    golden,
    comparison,
  );
};

/** The model of a case with its weights; the comparison frees it. */
export async function loadLlava(golden: ParityCase, comparison: Comparison, processor?: ProcessorFactory) {
  const json = await golden.config();
  const { model, names } = await composeLlava(json, processor);
  await loadWeights(comparison.own(model), await golden.weights(), names);
  const { image_token_index: imageTokenId } = parseConfig(
    'config.json',
    schema,
    json as z.input<typeof schema>,
  );
  return { model, names, imageTokenId };
}

/** transformers' name in memory of a tensor of the file. */
export function inMemory(key: string): string {
  if (key.startsWith('language_model.lm_head.')) return key.slice('language_model.'.length);
  return `model.${key.replace(/^language_model\.model\./, 'language_model.')}`;
}

/** Pictures of each row: its placeholders by the tokens that a picture takes. */
function imagesPerSample(
  { data, shape: [batch, length] }: TokenIds,
  imageTokenId: number,
  tokens: number,
): number[] {
  return Array.from({ length: batch }, (_, b) => {
    const row = data.subarray(b * length, (b + 1) * length);
    return row.filter((id) => id === imageTokenId).length / tokens;
  });
}
