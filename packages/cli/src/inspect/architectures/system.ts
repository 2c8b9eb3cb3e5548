import type { JsonObject } from '@mmllm/checkpoints';
import { tokensOfPicture } from '@mmllm/core';
import { composeSystem, systemOf } from '@mmllm/models';
import { type Architecture, decoderComponents } from './architecture';

/** What counts otherwise than it is wired. */
const own: Readonly<Record<string, Architecture['components']>> = {
  // Its merger is part of the tower, and what stands for Fuyu's tower is its only layer.
  qwen2_vl: [['vision', 'projector.']],
  fuyu: [['vision', 'projector.']],
  janus: [
    ['aligner', 'projector.'],
    ['vq', 'generator.tokenizer.'],
    ['gen_embed', 'generator.embedding.'],
    ['gen_aligner', 'generator.aligner.'],
    ['gen_head', 'generator.head.'],
  ],
  aria: [['experts', /^decoder\.layers\.\d+\.mlp\.(gate|up|down)Proj$/]],
};

/** A system, wired from its parts. */
export async function system(json: JsonObject): Promise<Architecture> {
  const found = systemOf(json);
  const { model } = await composeSystem(found, json);
  return {
    model,
    components: [
      ...(own[found.modelType] ?? []),
      ['vision', 'encoder.'],
      ['projector', 'projector.'],
      ['cross_attention', 'fusion.layers.'],
      ['fusion', 'fusion.'],
      ['tokenizer', 'generator.tokenizer.'],
      ['generator', 'generator.'],
      ...decoderComponents('decoder.'),
    ],
    picture: tokensOfPicture(model),
  };
}
