import { composeMaps, type JsonObject, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { composeModel, type MultimodalModel, type ProcessorFactory, parseConfig } from '@mmllm/core';
import { unified } from '@mmllm/fusion-unified';
import { mlp } from '@mmllm/projectors';
import { z } from 'zod';
import { decoders } from './decoders';
import { partOf } from './part-of';
import { towers } from './towers';

const schema = z.looseObject({ multimodal_projector_bias: z.boolean().default(true) });

/**
 * `LlavaForConditionalGeneration` as a `config.json` describes it, shape-only: a tower, two linear layers, a decoder.
 * @throws ConfigError for a part or a value outside the known set.
 */
export async function composeLlava(
  json: JsonObject,
  processor?: ProcessorFactory,
): Promise<{ model: MultimodalModel; names: NameMap }> {
  const { multimodal_projector_bias: bias } = parseConfig('config.json', schema, json);
  const [tower, vision] = partOf(json, 'vision_config', towers, 'clip_vision_model');
  const [decoder, text] = partOf(json, 'text_config', decoders, 'llama');
  // The tower also reads which of its features the whole model takes.
  const whole = { ...json, vision_config: vision };
  const parts = {
    encoder: tower.build(whole),
    projector: mlp({ bias }),
    fusion: unified(),
    decoder: decoder.build(text),
    processor,
  };
  const names = composeMaps(
    prefixMap(tower.names(whole, 'vision_tower'), { ours: 'encoder' }),
    { rules: [0, 1].flatMap(projectorLayer) },
    prefixMap(decoder.names(text), { ours: 'decoder', theirs: 'language_model' }),
  );
  return { model: await composeModel(parts, { shapeOnly: true }), names };
}

const projectorLayer = (i: number) => [
  {
    ours: `projector.layers.${i}.weight`,
    theirs: `multi_modal_projector.linear_${i + 1}.weight`,
    layout: 'linear' as const,
  },
  { ours: `projector.layers.${i}.bias`, theirs: `multi_modal_projector.linear_${i + 1}.bias` },
];
