import type { JsonObject } from '@mmllm/checkpoints';
import { tokensOfPicture } from '@mmllm/core';
import { composeLlava } from '../../systems/llava';
import { type Architecture, decoderComponents } from './architecture';

export async function llava(json: JsonObject): Promise<Architecture> {
  const { model } = await composeLlava(json);
  return {
    model,
    components: [['vision', 'encoder.'], ['projector', 'projector.'], ...decoderComponents('decoder.')],
    picture: tokensOfPicture(model),
  };
}
