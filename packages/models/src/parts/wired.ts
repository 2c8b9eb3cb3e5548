import type { JsonObject, NameMap } from '@mmllm/checkpoints';

/** A part of a model, shape-only, and its parameters' names in the model's file. */
export interface Wired<T> {
  readonly part: T;
  readonly names: NameMap;
}

/** A factory that knows how published files describe its parts. */
export interface Family<Config, T> {
  (config: Config): T;
  readonly checkpoint: {
    config(json: JsonObject): Config;
    names(config: Config, prefixes?: string | readonly string[]): NameMap;
  };
}

/**
 * The part that a `config.json` describes.
 * @param changes to its configuration, where the model decides
 * @param prefixes what stands before its names in the file: the first is written, all are loaded. Default: the family's own.
 */
export function wired<Config, T>(
  family: Family<Config, T>,
  json: JsonObject,
  prefixes?: string | readonly string[],
  changes?: Partial<Config>,
): Wired<T> {
  const config = { ...family.checkpoint.config(json), ...changes };
  return { part: family(config), names: family.checkpoint.names(config, prefixes) };
}
