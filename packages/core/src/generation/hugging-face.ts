import { z } from 'zod';
import { parseConfig } from '../config';
import type { GenerateOptions } from '../contracts';
import { ConfigError } from '../errors';

const number = z.number();
const tokenId = z.int().nonnegative();

/** What `generation_config.json` may say that changes the tokens. */
const schema = z.looseObject({
  do_sample: z.boolean().nullish(),
  max_new_tokens: z.int().positive().nullish(),
  min_new_tokens: z.int().nonnegative().nullish(),
  temperature: number.positive().nullish(),
  top_k: z.int().nonnegative().nullish(),
  top_p: number.positive().max(1).nullish(),
  min_p: number.min(0).max(1).nullish(),
  repetition_penalty: number.positive().nullish(),
  num_beams: z.int().positive().nullish(),
  length_penalty: number.nullish(),
  early_stopping: z.union([z.boolean(), z.literal('never')]).nullish(),
  eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
});

/** Keys of transformers that would change the tokens, and that nothing here does; with the value that changes nothing. */
const refused: Readonly<Record<string, unknown>> = {
  typical_p: 1,
  epsilon_cutoff: 0,
  eta_cutoff: 0,
  penalty_alpha: 0,
  diversity_penalty: 0,
  num_beam_groups: 1,
  encoder_repetition_penalty: 1,
  no_repeat_ngram_size: 0,
  encoder_no_repeat_ngram_size: 0,
  bad_words_ids: null,
  force_words_ids: null,
  constraints: null,
  suppress_tokens: null,
  begin_suppress_tokens: null,
  sequence_bias: null,
  forced_bos_token_id: null,
  forced_eos_token_id: null,
  exponential_decay_length_penalty: null,
  dola_layers: null,
  watermarking_config: null,
};

/**
 * The options that a parsed `generation_config.json` stands for. Without `do_sample` it is greedy, whatever temperature it
 * names; with it, absent values are those of transformers: temperature 1, the 50 likeliest tokens.
 * @throws ConfigError for a value outside its range, or a way of choosing tokens that is not known here.
 */
export function generationFromHuggingFace(json: Readonly<Record<string, unknown>>): GenerateOptions {
  const config = parseConfig('generation_config.json', schema, json as z.input<typeof schema>);
  for (const [key, neutral] of Object.entries(refused)) {
    const value = config[key];
    if (value === undefined || value === null || value === neutral) continue;
    throw new ConfigError({
      component: `generation_config.json.${key}`,
      expected: `nothing, or ${JSON.stringify(neutral)}`,
      actual: JSON.stringify(value).slice(0, 80),
    });
  }
  const eos = config.eos_token_id;
  const topK = config.top_k ?? 50;
  const sampling = config.do_sample && {
    temperature: config.temperature ?? 1,
    ...(topK > 0 && { topK }),
    ...((config.top_p ?? 1) < 1 && { topP: config.top_p! }),
    ...((config.min_p ?? 0) > 0 && { minP: config.min_p! }),
  };
  return {
    ...sampling,
    ...known('maxNewTokens', config.max_new_tokens),
    ...known('minNewTokens', config.min_new_tokens),
    ...known('repetitionPenalty', config.repetition_penalty),
    ...known('numBeams', config.num_beams),
    ...known('lengthPenalty', config.length_penalty),
    ...known('earlyStopping', config.early_stopping),
    ...known('stopIds', eos === null || eos === undefined ? undefined : [eos].flat()),
  };
}

const known = <K extends string, V>(key: K, value: V | null | undefined): { [name in K]?: V } =>
  (value === null || value === undefined ? {} : { [key]: value }) as { [name in K]?: V };
