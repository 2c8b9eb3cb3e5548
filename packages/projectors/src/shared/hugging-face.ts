import { parseConfig } from '@mmllm/core';
import { ACTIVATIONS } from '@mmllm/nn';
import { z } from 'zod';

const renamed: Record<string, string> = {
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_new: 'gelu_tanh',
  swish: 'silu',
};

/** An activation, by our names. */
export const hiddenAct = z
  .string()
  .default('gelu')
  .transform((name) => renamed[name] ?? name)
  .pipe(z.enum(ACTIVATIONS));

/**
 * What a `config.json` says.
 * @throws ConfigError for a value that the schema does not take.
 */
export function parseHuggingFace<S extends z.ZodType>(
  projector: string,
  schema: S,
  json: unknown,
): z.output<S> {
  // Whether it is what the schema takes is what is checked here.
  return parseConfig(`${projector} config.json`, schema, json as z.input<S>);
}
