import { prefixMap } from '@mmllm/checkpoints';
import { ConfigError } from '@mmllm/core';
import { emu3Vq, vocabularyCodes } from '@mmllm/vq-tokenizer';
import { z } from 'zod';
import { readConfig } from '../parts/config';
import { decoderOf } from '../parts/decoders';
import { allBut, published } from '../parts/published';
import { wired } from '../parts/wired';
import type { System } from '../system';

const schema = z.looseObject({
  vq_config: z.looseObject({}).prefault({}),
  vocabulary_map: z.record(z.string(), z.int().nonnegative()).nullish(),
});

/** How the tokenizer of texts calls a code. */
const wordOf = (code: number): string => `<|visual token ${String(code).padStart(6, '0')}|>`;

/**
 * Emu3 (Wang et al. 2024, arXiv:2409.18869): pictures are words of a decoder of texts, a code of its tokenizer each, to be
 * read and to be made.
 */
export const emu3: System = {
  name: 'Emu3',
  modelType: 'emu3',
  wire(json) {
    const { vq_config: vq, vocabulary_map: words } = readConfig(schema, json);
    const tokenizer = wired(emu3Vq, { vq_config: vq }, ['vqmodel', 'model.vqmodel']);
    const firstId = words ? firstWord(words, tokenizer.part.codebookSize) : undefined;
    return {
      decoder: decoderOf(json, { usual: 'emu3_text_model', prefix: 'text_model' }),
      generator: {
        part: vocabularyCodes(tokenizer.part, { firstId }),
        names: prefixMap(tokenizer.names, { ours: 'tokenizer' }),
      },
    };
  },
  // Tuning for quality and DPO follow, of which no rate is told.
  stages: [
    published({
      name: 'images',
      policy: allBut('generator.tokenizer'),
      ...{ learningRate: 5e-5, schedule: 'cosine' },
      from: 'arXiv:2409.18869',
    }),
    published({
      name: 'video',
      policy: allBut('generator.tokenizer'),
      ...{ learningRate: 5e-5, schedule: 'cosine' },
      from: 'arXiv:2409.18869',
    }),
  ],
};

/** The word of code 0. @throws ConfigError unless the words of all codes follow it. */
function firstWord(words: Readonly<Record<string, number>>, numCodes: number): number {
  const first = words[wordOf(0)];
  for (let code = 0; code < numCodes; code++) {
    const id = words[wordOf(code)];
    if (id !== undefined && id === first! + code) continue;
    throw new ConfigError({
      component: 'config.json vocabulary_map',
      expected: `${numCodes} words for codes, one after the other`,
      actual: `${id ?? 'none'} for ${wordOf(code)}`,
    });
  }
  return first!;
}
