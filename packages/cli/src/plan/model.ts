import type { JsonObject } from '@mmllm/checkpoints';
import { ConfigError, composeModel, type MultimodalModel, parseConfig } from '@mmllm/core';
import { composeSystem, decoders, type PublishedStage, systemOf, systems } from '@mmllm/models';
import { z } from 'zod';
import type { PictureText } from './batch';

/** A model that can be trained or asked, shape-only. */
export interface PlannedModel {
  readonly model: MultimodalModel;
  readonly text: PictureText;
  /** How its system was trained. */
  readonly stages?: readonly PublishedStage[];
}

const ids = z.array(z.int().nonnegative()).nonempty();

/** Names are shown where they are unknown, so nobody may fill the screen with one. */
const schema = z.looseObject({
  model_type: z.string().max(100),
  // NVLM's, whose tags its fusion looks for.
  image_start_ids: ids.optional(),
  tile_tag_ids: z.array(ids).optional(),
  thumbnail_tag_ids: ids.optional(),
});

/** The system or the decoder that a parsed `config.json` describes. @throws ConfigError for what has no decoder. */
export async function plannedModel(json: unknown): Promise<PlannedModel> {
  const config = parseConfig('config.json', schema, json as z.input<typeof schema>);
  const { model_type: type } = config;
  const object: JsonObject = config;
  if (systems.some(({ modelType }) => modelType === type)) {
    const system = systemOf(object);
    const { model, imageTokenId } = await composeSystem(system, object);
    const tags = tagsOf(config);
    return {
      model,
      text: { imageTokenId: imageTokenId < 0 ? unusedId(tags) : imageTokenId, ...tags },
      stages: system.stages,
    };
  }
  if (Object.hasOwn(decoders, type)) {
    const model = await composeModel({ decoder: decoders[type](object).part }, { shapeOnly: true });
    return { model, text: { imageTokenId: -1 } };
  }
  throw new ConfigError({
    component: 'config.json model_type',
    expected: `a model with a decoder: ${[...systems.map(({ modelType }) => modelType), ...Object.keys(decoders)].join(', ')}`,
    actual: `'${type}'`,
  });
}

function tagsOf({
  image_start_ids: opening,
  tile_tag_ids: tiles = [],
  thumbnail_tag_ids: thumbnail,
}: z.output<typeof schema>): Partial<PictureText> {
  const pieces = Object.fromEntries(tiles.map((tag, i) => [`<tile_${i + 1}>`, tag]));
  return { opening, pieces: { ...pieces, ...(thumbnail && { '<tile_global_thumbnail>': thumbnail }) } };
}

/** For a model that leaves its image token to the tokenizer. */
function unusedId({ opening = [], pieces = {} }: Partial<PictureText>): number {
  const used = new Set([opening, ...Object.values(pieces)].flat());
  let id = 0;
  while (used.has(id)) id++;
  return id;
}
