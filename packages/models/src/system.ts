import { composeMaps, type JsonObject, type NameMap, prefixMap } from '@mmllm/checkpoints';
import {
  composeModel,
  type Decoder,
  type FusionFactory,
  type ImageEncoder,
  type ImagePreprocessing,
  type MultimodalModel,
  type ProcessorFactory,
  type ProjectorFactory,
  parseConfig,
} from '@mmllm/core';
import { z } from 'zod';
import type { Wired } from './parts/wired';
import type { PublishedStage } from './stages';

/** The parts of a system at the size of one `config.json`, shape-only, and what they are called in its file. */
export interface Wiring {
  readonly encoder: Wired<ImageEncoder>;
  readonly projector: Wired<ProjectorFactory>;
  readonly fusion: Wired<FusionFactory>;
  readonly decoder: Wired<Decoder>;
  /** Keys that a file may hold and that no part wants. */
  readonly ignore?: readonly string[];
}

/** A published system: how its parts are wired. */
export interface System {
  /** As papers call it. */
  readonly name: string;
  /** `model_type` of its `config.json`. */
  readonly modelType: string;
  /** How it was trained, stage by stage, as far as it is published; empty where it is not. */
  readonly stages: readonly PublishedStage[];
  /** Whether a configuration of this `model_type` is the system's, where several share one. */
  accepts?(json: JsonObject): boolean;
  /** `config.json` with what only the shapes of the weights say. */
  fromShapes?(json: JsonObject, shapeOf: (key: string) => readonly number[] | undefined): JsonObject;
  /**
   * @param preprocessing what the files say is done to pictures, where that decides how they stand in the text. Default:
   * the encoder's own.
   * @throws ConfigError for a part or a value outside the known set.
   */
  wire(json: JsonObject, preprocessing?: ImagePreprocessing): Wiring;
}

export interface ComposeSystemOptions {
  readonly processor?: ProcessorFactory;
  /** Of `preprocessor_config.json`; see `System.wire`. */
  readonly preprocessing?: ImagePreprocessing;
}

/** A model at the size of one `config.json`. */
export interface ComposedSystem {
  readonly system: System;
  /** Shape-only: it waits for its weights. */
  readonly model: MultimodalModel;
  /** The names of its parameters in its file. */
  readonly names: NameMap;
  /** The token that stands for pictures. */
  readonly imageTokenId: number;
}

/** Composes the system that a `config.json` describes. @throws ConfigError as `wire`. */
export async function composeSystem(
  system: System,
  json: JsonObject,
  { processor, preprocessing }: ComposeSystemOptions = {},
): Promise<ComposedSystem> {
  const { encoder, projector, fusion, decoder, ignore = [] } = system.wire(json, preprocessing);
  const model = await composeModel(
    {
      encoder: encoder.part,
      projector: projector.part,
      fusion: fusion.part,
      decoder: decoder.part,
      processor,
    },
    { shapeOnly: true },
  );
  const names = composeMaps(
    prefixMap(encoder.names, { ours: 'encoder' }),
    prefixMap(projector.names, { ours: 'projector' }),
    prefixMap(fusion.names, { ours: 'fusion' }),
    prefixMap(decoder.names, { ours: 'decoder' }),
    { rules: [], ignore },
  );
  return { system, model, names, imageTokenId: imageTokenOf(json) };
}

const imageToken = z.looseObject({
  image_token_id: z.int().nonnegative().optional(),
  image_token_index: z.int().nonnegative().optional(),
});

/** Older configurations call it an index. −1 where the file says none, as a text has none then. */
function imageTokenOf(json: JsonObject): number {
  const { image_token_id, image_token_index } = parseConfig(
    'config.json',
    imageToken,
    // Whether it is what the schema takes is what is checked here.
    json as z.input<typeof imageToken>,
  );
  return image_token_id ?? image_token_index ?? -1;
}
