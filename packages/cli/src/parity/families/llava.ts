import { composeMaps, loadWeights, type NameMap, prefixMap } from '@mmllm/checkpoints';
import {
  composeModel,
  disposeImages,
  type ModelInputs,
  type MultimodalModel,
  type ProcessorFactory,
  parseConfig,
  rowsOf,
  type TokenIds,
} from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { unified } from '@mmllm/fusion-unified';
import { mlp } from '@mmllm/projectors';
import { clip } from '@mmllm/vision-encoders/clip';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { ParityCase } from '../case';
import type { ParityFamily } from '.';
import { compareGradients } from './gradients';
import { compareGreedy } from './greedy';
import { densePictures } from './pictures';

const schema = z.looseObject({
  text_config: z.looseObject({}),
  image_token_index: z.int().nonnegative(),
  vision_feature_layer: z.int().default(-2),
  vision_feature_select_strategy: z.enum(['default', 'full']).default('default'),
  multimodal_projector_bias: z.boolean().default(true),
});

/** LLaVA-1.5, composed from single packages. */
export const llava: ParityFamily = async (golden, comparison) => {
  const { model, names, imageTokenId } = await loadLlava(golden);
  const holder = await compose(await golden.config());
  const ids = await golden.ids('in.input_ids');
  const images = densePictures(await golden.floats('in.pixel_values'));
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
  await compareGreedy(model.decoder, ids, fused, golden, comparison);
  fused.embeddings.dispose();
  fused.dispose?.();
  const logits = () => tf.reshape<tf.Rank.R2>(model.forward(inputs), [-1, model.decoder.vocabSize]);
  await compareGradients(
    { model, holder, names, logits, nameOf: (key) => `grad.${inMemory(key)}` },
    golden,
    comparison,
  );
  disposeImages(images);
  model.dispose();
};

/** The model of a case with its weights. */
export async function loadLlava(golden: ParityCase, processor?: ProcessorFactory) {
  const json = await golden.config();
  const model = await compose(json, processor);
  const names = namesOf(json);
  await loadWeights(model, await golden.weights(), names);
  return { model, names, imageTokenId: parse(json).image_token_index };
}

const parse = (json: unknown) => parseConfig('config.json', schema, json as z.input<typeof schema>);

function compose(json: unknown, processor?: ProcessorFactory): Promise<MultimodalModel> {
  const config = parse(json);
  return composeModel(
    {
      encoder: clip({
        ...clip.checkpoint.config(json),
        features: {
          layers: [config.vision_feature_layer],
          classToken: config.vision_feature_select_strategy === 'full' ? 'keep' : 'drop',
        },
      }),
      projector: mlp({ bias: config.multimodal_projector_bias }),
      fusion: unified(),
      decoder: llama(llama.checkpoint.config(config.text_config)),
      processor,
    },
    { shapeOnly: true },
  );
}

function namesOf(json: unknown): NameMap {
  const layer = (i: number) => [
    {
      ours: `projector.layers.${i}.weight`,
      theirs: `multi_modal_projector.linear_${i + 1}.weight`,
      layout: 'linear' as const,
    },
    { ours: `projector.layers.${i}.bias`, theirs: `multi_modal_projector.linear_${i + 1}.bias` },
  ];
  return composeMaps(
    prefixMap(clip.checkpoint.names(clip.checkpoint.config(json), 'vision_tower'), { ours: 'encoder' }),
    { rules: [...layer(0), ...layer(1)] },
    prefixMap(llama.checkpoint.names(), { ours: 'decoder', theirs: 'language_model' }),
  );
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
