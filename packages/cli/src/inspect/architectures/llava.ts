import type { JsonObject } from '@mmllm/checkpoints';
import { tokensOfPicture } from '@mmllm/core';
import { composeSystem, systemOf } from '@mmllm/models';
import { type Architecture, decoderComponents } from './architecture';

export async function llava(json: JsonObject): Promise<Architecture> {
  const { model } = await composeSystem(systemOf(json), json);
  return {
    model,
    components: [['vision', 'encoder.'], ['projector', 'projector.'], ...decoderComponents('decoder.')],
    picture: tokensOfPicture(model),
  };
}
