import { random } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { caseJson } from '../testing/golden';
import { tokenizerFromJson } from './tokenizer';

const names = [
  'gpt2',
  'llama2',
  'llama2-first',
  'llama3',
  'gemma',
  'qwen2',
  'clip',
  'siglip',
  'siglip-spm',
  'smollm2',
];

const open = (name: string) =>
  tokenizerFromJson(
    caseJson(`tokenizer-${name}/base/tokenizer.json`),
    caseJson(`tokenizer-${name}/base/tokenizer_config.json`),
  );

const texts = [
  'Grüße 🎉👨‍👩‍👧 你好, wie geht’s?  Two  blanks.',
  'line\n\n\ttabbed   ',
  '    indented code()',
  '😀😀 ꙮ ᚠ 𓀀 x',
  '<s> tags </s> in text',
];

describe.each(names)('a stream of %s', (name) => {
  const tokenizer = open(name);

  function pieces(ids: Iterable<number>, skipSpecialTokens: boolean): string[] {
    const stream = tokenizer.stream!({ skipSpecialTokens });
    return [...Array.from(ids, (id) => stream.push(id)), stream.end()];
  }

  it('gives what decoding all at once gives, without splitting a character', () => {
    for (const text of texts) {
      const ids = tokenizer.encode(text);
      for (const skip of [false, true]) {
        const parts = pieces(ids, skip);
        const whole = tokenizer.decode(ids, { skipSpecialTokens: skip });
        expect(parts.join('')).toBe(whole);
        // CLIP breaks some characters itself.
        const broken = whole.includes('\uFFFD');
        for (const part of parts) expect(broken || !/[\uFFFD]|\p{Cs}/u.test(part)).toBe(true);
      }
    }
  });

  it('does so for ids in any order', () => {
    const source = random('stream', name.length, 1);
    for (let round = 0; round < 200; round++) {
      const ids = Array.from({ length: 1 + source.integer(24) }, () => source.integer(tokenizer.vocabSize));
      const skip = round % 2 === 0;
      const whole = tokenizer.decode(ids, { skipSpecialTokens: skip });
      expect(pieces(ids, skip).join(''), `${name} ${ids}`).toBe(whole);
    }
  });
});

it('gives all at the end where a decoder looks at the whole text', () => {
  const decoders = [{ type: 'Fuse' }, { type: 'Replace', pattern: { Regex: '[a-z]+$' }, content: '!' }];
  const tokenizer = tokenizerFromJson({
    model: { type: 'WordLevel', vocab: { ab: 0, 'c ': 1 } },
    decoder: { type: 'Sequence', decoders },
  });
  const stream = tokenizer.stream!();
  expect([0, 0, 1, 0].map((id) => stream.push(id))).toEqual(['', '', '', '']);
  expect(stream.end()).toBe('ababc !');
});

it('gives text early, and takes no longer for later tokens', () => {
  const tokenizer = open('llama3');
  const ids = tokenizer.encode('The quick brown fox. '.repeat(200));
  const stream = tokenizer.stream!();
  const parts = Array.from(ids, (id) => stream.push(id));
  expect(parts.every((part) => part.length > 0)).toBe(true);
});
