import type { JsonObject } from '@mmllm/checkpoints';
import { ConfigError, parseConfig } from '@mmllm/core';
import { z } from 'zod';

/**
 * What a whole model says of one of its parts.
 * @param usual the part's `model_type` where it says none
 * @returns the reader of that kind, and the part's configuration
 */
export function partOf<T>(
  json: JsonObject,
  key: string,
  readers: Readonly<Record<string, T>>,
  usual: string,
): [T, JsonObject] {
  const schema = z.looseObject({ model_type: z.string().max(100).default(usual) });
  // Whether it is what the schema takes is what is checked here.
  const part = parseConfig(`config.json ${key}`, schema, (json[key] ?? {}) as z.input<typeof schema>);
  if (Object.hasOwn(readers, part.model_type)) return [readers[part.model_type], part];
  throw new ConfigError({
    component: `config.json ${key}.model_type`,
    expected: Object.keys(readers).join(', '),
    actual: `'${part.model_type}'`,
  });
}
