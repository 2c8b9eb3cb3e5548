import { composeMaps, loadWeights, type NameMap, prefixMap } from '@mmllm/checkpoints';
import {
  composeModel,
  disposeImages,
  type ModelInputs,
  type MultimodalModel,
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
  const json = await golden.config();
  const config = parseConfig('config.json', schema, json as z.input<typeof schema>);
  const [model, holder] = [await compose(json, config), await compose(json, config)];
  const names = namesOf(json);
  await loadWeights(model, await golden.weights(), names);
  const ids = await golden.ids('in.input_ids');
  const images = densePictures(await golden.floats('in.pixel_values'));
  const layout = model.projector!.layout(model.encoder!.layout(images.images));
  const inputs: ModelInputs = {
    ids,
    imageTokenId: config.image_token_index,
    imagesPerSample: imagesPerSample(ids, config.image_token_index, rowsOf(layout[0]).count),
    images,
  };
  await comparison.giveAll({ 'out.features': model.encodeImages(images).features });
  await comparison.giveAll({ 'out.logits': model.forward(inputs) });
  const fused = model.fuse(inputs);
  await compareGreedy(model.decoder, ids, fused, golden, comparison);
  fused.embeddings.dispose();
  fused.dispose?.();
  const logits = () => tf.reshape<tf.Rank.R2>(model.forward(inputs), [-1, model.decoder.vocabSize]);
  await compareGradients({ model, holder, names, logits, nameOf: inMemory }, golden, comparison);
  disposeImages(images);
  model.dispose();
};

function compose(json: unknown, config: z.output<typeof schema>): Promise<MultimodalModel> {
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

/** transformers' names in memory, by which a case calls its gradients. */
function inMemory(key: string): string {
  if (key.startsWith('language_model.lm_head.')) return `grad.${key.slice('language_model.'.length)}`;
  return `grad.model.${key.replace(/^language_model\.model\./, 'language_model.')}`;
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
