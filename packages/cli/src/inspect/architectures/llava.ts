import { composeModel, parseConfig, tokensOfPicture } from '@mmllm/core';
import { unified } from '@mmllm/fusion-unified';
import { mlp } from '@mmllm/projectors';
import { z } from 'zod';
import { type Architecture, type Json, partOf } from './architecture';
import { decoderComponents, decoders } from './decoders';
import { towers } from './towers';

const schema = z.looseObject({ multimodal_projector_bias: z.boolean().default(true) });

/** `LlavaForConditionalGeneration`: a tower, two linear layers, a decoder. */
export async function llava(json: Json): Promise<Architecture> {
  const { multimodal_projector_bias: bias } = parseConfig('config.json', schema, json);
  const [tower, vision] = partOf(json, 'vision_config', towers, 'clip_vision_model');
  const [decoder, text] = partOf(json, 'text_config', decoders, 'llama');
  const model = await composeModel(
    {
      encoder: tower(vision),
      projector: mlp({ bias }),
      fusion: unified(),
      decoder: decoder(text),
    },
    { shapeOnly: true },
  );
  return {
    model,
    components: [['vision', 'encoder.'], ['projector', 'projector.'], ...decoderComponents('decoder.')],
    picture: tokensOfPicture(model),
  };
}
