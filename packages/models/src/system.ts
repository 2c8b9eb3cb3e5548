import { composeMaps, type JsonObject, type NameMap, prefixMap } from '@mmllm/checkpoints';
import {
  ConfigError,
  composeModel,
  type Decoder,
  type FusionFactory,
  type ImageEncoder,
  type ImageGeneratorFactory,
  type ImagePreprocessing,
  type MultimodalModel,
  type ProcessorFactory,
  type ProjectorFactory,
  parseConfig,
} from '@mmllm/core';
import { z } from 'zod';
import type { Wired } from './parts/wired';
import type { PublishedStage } from './stages';

/**
 * The parts of a system at the size of one `config.json`, shape-only, and what they are called in its file. Encoder,
 * projector and fusion go together; a system that reads pictures as words has none of them.
 */
export interface Wiring {
  readonly encoder?: Wired<ImageEncoder>;
  readonly projector?: Wired<ProjectorFactory>;
  readonly fusion?: Wired<FusionFactory>;
  readonly decoder: Wired<Decoder>;
  /** How it makes pictures, if it does. */
  readonly generator?: Wired<ImageGeneratorFactory>;
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
  const { ignore = [], ...parts } = system.wire(json, preprocessing);
  const { decoder, generator } = parts;
  const model = await composeModel(
    { ...sightOf(system, parts), decoder: decoder.part, generator: generator?.part, processor },
    { shapeOnly: true },
  );
  const names = Object.entries(parts).map(([ours, part]: [string, Wired<unknown> | undefined]) =>
    prefixMap(part?.names ?? { rules: [] }, { ours }),
  );
  return {
    system,
    model,
    names: composeMaps(...names, { rules: [], ignore }),
    imageTokenId: imageTokenOf(json),
  };
}

/** @throws ConfigError for some of the three parts without the others. */
function sightOf({ name }: System, { encoder, projector, fusion }: Wiring) {
  if (encoder && projector && fusion) {
    return { encoder: encoder.part, projector: projector.part, fusion: fusion.part };
  }
  if (!encoder && !projector && !fusion) return {};
  throw new ConfigError({
    component: `system '${name}'`,
    expected: 'an encoder, a projector and a fusion, or none of them',
    actual: Object.entries({ encoder, projector, fusion })
      .flatMap(([part, wired]) => (wired ? [part] : []))
      .join(' and '),
  });
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
