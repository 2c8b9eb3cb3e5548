import type { JsonObject } from '@mmllm/checkpoints';
import { tileTags } from '@mmllm/fusion-unified';
import { pixelShuffleMlp, pixelShuffleOriginalNames } from '@mmllm/projectors';
import { z } from 'zod';
import { readConfig } from '../parts/config';
import { decoderOf } from '../parts/decoders';
import { inText } from '../parts/fusion';
import { allBut, only, published } from '../parts/published';
import { dynamicTiles } from '../parts/tiling';
import { towerOf } from '../parts/towers';
import type { System } from '../system';

/** The layers have no biases, and the width between them is that of the decoder's own MLP. */
const schema = z.looseObject({
  projector_hidden_size: z.int().positive().optional(),
  projector_layer_norm_eps: z.number().positive().default(1e-6),
  llm_config: z.looseObject({ intermediate_size: z.int().positive().default(29_568) }).prefault({}),
});

const tower = z.looseObject({
  vision_config: z.looseObject({
    model_type: z.literal('intern_vit_6b'),
    hidden_size: z.int().positive().default(3200),
    num_attention_heads: z.int().positive().default(25),
  }),
});

/** NVIDIA's file has heads of zeros behind the real ones (7 behind 25), of which its configuration says nothing. */
function withDummyHeads(
  json: JsonObject,
  shapeOf: (key: string) => readonly number[] | undefined,
): JsonObject {
  const { success, data } = tower.safeParse(json);
  const rows = shapeOf('vision_model.encoder.layers.0.attn.qkv.weight')?.[0];
  if (!success || rows === undefined) return json;
  const { hidden_size: width, num_attention_heads: heads } = data.vision_config;
  const num_dummy_heads = Math.max(0, Math.floor(rows / 3 / (width / heads)) - heads);
  return { ...json, vision_config: { ...data.vision_config, num_dummy_heads } };
}

/** NVLM-D (Dai et al. 2024, arXiv:2409.11402): InternViT over tiles, each behind its tag, pixel shuffle, two layers, Qwen2. */
export const nvlmD: System = {
  name: 'NVLM-D',
  modelType: 'NVLM_D',
  fromShapes: withDummyHeads,
  wire(json) {
    const config = readConfig(schema, json);
    const projector = {
      hiddenSize: config.projector_hidden_size ?? config.llm_config.intermediate_size,
      layerNormEps: config.projector_layer_norm_eps,
      bias: false,
    };
    return {
      encoder: towerOf(json, {
        usual: 'intern_vit_6b',
        prefixes: ['vision_model'],
        tiling: dynamicTiles(json),
      }),
      projector: { part: pixelShuffleMlp(projector), names: pixelShuffleOriginalNames(projector) },
      fusion: inText({ arrangement: tileTags() }),
      decoder: decoderOf(json, { key: 'llm_config', usual: 'qwen2' }),
    };
  },
  stages: [
    published({
      name: 'pretrain',
      policy: only('projector'),
      learningRate: 1e-4,
      batchSize: 2048,
      from: 'arXiv:2409.11402',
    }),
    published({ name: 'sft', policy: allBut('encoder'), learningRate: 2e-6, from: 'arXiv:2409.11402' }),
  ],
};
