import { composeMaps, type JsonObject, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { composeModel, type MultimodalModel, type ProcessorFactory } from '@mmllm/core';
import { unified } from '@mmllm/fusion-unified';
import { mlp } from '@mmllm/projectors';
import { decoders } from './decoders';
import { partOf } from './part-of';
import { towers } from './towers';

/**
 * `LlavaForConditionalGeneration` as a `config.json` describes it, shape-only: a tower, two linear layers, a decoder.
 * @throws ConfigError for a part or a value outside the known set.
 */
export async function composeLlava(
  json: JsonObject,
  processor?: ProcessorFactory,
): Promise<{ model: MultimodalModel; names: NameMap }> {
  const [tower, vision] = partOf(json, 'vision_config', towers, 'clip_vision_model');
  const [decoder, text] = partOf(json, 'text_config', decoders, 'llama');
  const projector = mlp.checkpoint.config(json);
  // The tower also reads which of its features the whole model takes.
  const whole = { ...json, vision_config: vision };
  const parts = {
    encoder: tower.build(whole),
    projector: mlp(projector),
    fusion: unified(),
    decoder: decoder.build(text),
    processor,
  };
  const names = composeMaps(
    prefixMap(tower.names(whole, 'vision_tower'), { ours: 'encoder' }),
    prefixMap(mlp.checkpoint.names(projector, 'multi_modal_projector'), { ours: 'projector' }),
    prefixMap(decoder.names(text), { ours: 'decoder', theirs: 'language_model' }),
  );
  return { model: await composeModel(parts, { shapeOnly: true }), names };
}
