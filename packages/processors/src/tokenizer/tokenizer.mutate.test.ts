import { expect, it } from 'vitest';
import { tryMutations } from '../../../../tools/testing/mutations';
import { caseJson } from '../testing/golden';
import { mutateTokenizer } from '../testing/mutate-tokenizer';
import { readParts } from '../testing/tokenizer-parts';
import { isObject, type JsonObject } from './file';
import { tokenizerFromJson } from './tokenizer';

/** Small released kinds, and the parts that they do not have. */
const NAMES = ['gpt2', 'llama2', 'llama3', 'gemma', 'clip', 'siglip'] as const;
const CONFIG = {
  model_max_length: 100,
  clean_up_tokenization_spaces: true,
  padding_side: 'left',
  pad_token: '[PAD]',
  model_input_names: ['input_ids'],
};
const files: Record<string, [file: JsonObject, config: JsonObject]> = Object.fromEntries([
  ...NAMES.map((name) => [name, read(name)]),
  ...readParts().map(({ name, tokenizer }) => [name, [tokenizer, CONFIG]]),
]);
const names = Object.keys(files);

function read(name: string): [JsonObject, JsonObject] {
  const file = (of: string) => caseJson<JsonObject>(`tokenizer-${name}/base/${of}`);
  return [file('tokenizer.json'), file('tokenizer_config.json')];
}

const texts = [
  '',
  'The quick brown fox, naïve 12345!',
  ' a  b\n\t漢字 🎉👍🏽 <s> x</s>',
  'a'.repeat(200),
  `${' '.repeat(150)}x`,
];

/** Encodes and decodes. Returns how many times larger than the original the file is. */
function use(name: string, file: JsonObject | string, config: JsonObject | string): number {
  const tokenizer = tokenizerFromJson(file, config);
  for (const text of texts) {
    const ids = tokenizer.encode(text);
    const { ids: around, offsets, typeIds, tokens } = tokenizer.encoding(text, { pair: 'b a' });
    expect([offsets.length, typeIds.length, tokens.length]).toEqual([
      2 * around.length,
      around.length,
      around.length,
    ]);
    expect(offsets.every((offset) => offset >= 0 && offset <= Math.max(3, text.length))).toBe(true);
    tokenizer.decode(around, { skipSpecialTokens: true });
    tokenizer.batch([text], { truncation: true, maxLength: 20 });
    const stream = tokenizer.stream!();
    const pieces = Array.from(ids.subarray(0, 50), (id) => stream.push(id)).join('') + stream.end();
    expect(pieces).toBe(tokenizer.decode(ids.subarray(0, 50)));
  }
  return (sizeOf(file) + 100_000) / sizeOf(files[name][0]);
}

const sizeOf = (file: JsonObject | string) => (isObject(file) ? JSON.stringify(file) : file).length;

/** The configuration is damaged now and then. */
function attempt(seed: number): number {
  const name = names[seed % names.length];
  const [file, config] = files[name];
  return seed % 7 === 0
    ? use(name, file, mutateTokenizer(config, seed))
    : use(name, mutateTokenizer(file, seed), config);
}

it('damaged files are refused with a typed error, or make a tokenizer that works', {
  timeout: 300_000,
}, async () => {
  const outcomes = await tryMutations(700, {
    originals: Object.fromEntries(names.map((name) => [name, () => use(name, ...files[name])])),
    originalOf: (seed) => names[seed % names.length],
    attempt,
    // Deep nests are made and refused; what steps add to a text has limits of its own.
    spareBytes: 64 << 20,
  });
  // The generator must reach both outcomes, or it shows nothing.
  expect(outcomes.refused).toBeGreaterThan(100);
  expect(outcomes.read).toBeGreaterThan(100);
});
