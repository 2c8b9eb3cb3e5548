import {
  CACHE_TYPES,
  ContextLengthError,
  type Decoder,
  type GenerateOptions,
  type LogitsProcessor,
  type PromptMemory,
  parseConfig,
} from '@mmllm/core';
import { z } from 'zod';

const DEFAULT_NEW_TOKENS = 64;
const positive = z.number().positive();

const schema = z.object({
  maxNewTokens: z.int().positive().optional(),
  minNewTokens: z.int().nonnegative().default(0),
  temperature: z.number().nonnegative().default(0),
  topK: z.int().positive().optional(),
  topP: positive.max(1).optional(),
  minP: z.number().min(0).max(1).optional(),
  repetitionPenalty: positive.default(1),
  presencePenalty: z.number().default(0),
  frequencyPenalty: z.number().default(0),
  seed: z.number().default(0),
  stopIds: z.array(z.int()).readonly().default([]),
  cacheType: z.enum(CACHE_TYPES).default('float32'),
  processors: z
    .array(z.custom<LogitsProcessor>((value) => typeof value === 'function'))
    .readonly()
    .default([]),
  numBeams: z.int().positive().default(1),
  lengthPenalty: z.number().default(1),
  earlyStopping: z.union([z.boolean(), z.literal('never')]).default(false),
  guidance: z.object({ scale: z.number(), negative: z.custom<object>() }).optional(),
  memory: z.custom<PromptMemory>().optional(),
  signal: z.custom<AbortSignal>().optional(),
});

/** Options with every default filled in. */
export type FilledOptions = z.output<typeof schema> & Pick<GenerateOptions, 'guidance'>;

/** @throws ConfigError for options outside their range. */
export const parseOptions = (options: GenerateOptions): FilledOptions =>
  parseConfig('generate', schema, options) as FilledOptions;

/**
 * How many tokens may be generated after a prompt of `length`. The default, 64, yields to the context.
 * @throws ContextLengthError if the wanted ones do not fit.
 */
export function tokenBudget(decoder: Decoder, length: number, wanted: number | undefined): number {
  const room = decoder.maxLength - length;
  const needed = wanted ?? 1;
  if (needed <= room) return wanted ?? Math.min(DEFAULT_NEW_TOKENS, room);
  throw new ContextLengthError({
    component: `decoder '${decoder.name}'`,
    expected: `at most ${decoder.maxLength} tokens, prompt and answer together`,
    actual: `${length} + ${needed}`,
  });
}
