import {
  ConfigError,
  type ImageEncoder,
  largestImage,
  type Module,
  type PictureTokens,
  parseConfig,
  rowsOf,
} from '@mmllm/core';
import { z } from 'zod';

/** A published architecture at the size of one `config.json`, shape-only. */
export interface Architecture {
  readonly model: Module;
  /** Names of the components, and where their parameters start in the model; the first that matches counts. */
  readonly components: readonly (readonly [component: string, prefix: string])[];
  /** Tokens of the picture that becomes the most. Absent where pictures are none of its business. */
  readonly picture?: PictureTokens;
}

/** Reads a parsed `config.json` with one `model_type`. @throws ConfigError for what it does not know. */
export type ArchitectureReader = (json: Json) => Architecture | Promise<Architecture>;

export type Json = Readonly<Record<string, unknown>>;

/** A pooling head is a component of its own, since models that use the tower leave it out. */
const head = [['head', 'head.']] as const;

/** An image tower alone. */
export function towerAlone(encoder: ImageEncoder): Architecture {
  const image = largestImage(encoder.preprocessing);
  if (!image) return { model: encoder, components: head };
  const { count } = rowsOf(encoder.layout([image])[0]);
  const picture = {
    ...image.original,
    features: count,
    inSequence: 0,
    exact: encoder.preprocessing.kind === 'fixed',
  };
  return { model: encoder, components: head, picture };
}

const nested = z.looseObject({ model_type: z.string() });

/**
 * What a whole model says of one of its parts.
 * @param usual the part's `model_type` where it says none
 * @returns the reader of that kind, and the part's configuration
 */
export function partOf<T>(
  json: Json,
  key: string,
  readers: Readonly<Record<string, T>>,
  usual: string,
): [T, Json] {
  const part = parseConfig(`config.json ${key}`, nested, { model_type: usual, ...(json[key] as object) });
  const reader = readers[part.model_type];
  if (reader) return [reader, part];
  throw new ConfigError({
    component: `config.json ${key}.model_type`,
    expected: Object.keys(readers).join(', '),
    actual: `'${part.model_type}'`,
  });
}
