import type { JsonObject } from '@mmllm/checkpoints';
import { parseConfig } from '@mmllm/core';
import type { z } from 'zod';

/** What a `config.json` says. @throws ConfigError for a value that the schema does not take. */
export const readConfig = <S extends z.ZodType>(schema: S, json: JsonObject): z.output<S> =>
  // Whether it is what the schema takes is what is checked here.
  parseConfig('config.json', schema, json as z.input<S>);
