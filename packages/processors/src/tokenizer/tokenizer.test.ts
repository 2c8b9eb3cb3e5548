import { TokenizerError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { caseJson } from '../testing/golden';
import type { JsonObject } from './file';
import { tokenizerFromJson } from './tokenizer';

const open = (name: string) =>
  tokenizerFromJson(
    caseJson<JsonObject>(`tokenizer-${name}/base/tokenizer.json`),
    caseJson<JsonObject>(`tokenizer-${name}/base/tokenizer_config.json`),
  );

// What the reference gives is compared in the cases of `mmllm parity`, for every text and tokenizer.
describe('a tokenizer', () => {
  it.each(['gpt2', 'llama3', 'clip', 'siglip'])('of %s knows its vocabulary', (name) => {
    const tokenizer = open(name);
    const { added_tokens } = tokenizer.toJson() as { added_tokens: { id: number; content: string }[] };
    for (const { id, content } of added_tokens) expect(tokenizer.tokenId(content)).toBe(id);
    expect(tokenizer.tokenId('no such token')).toBeUndefined();
    expect(tokenizer.decode([tokenizer.vocabSize + 5])).toBe('');
  });

  it('says where its tokens are, in UTF-16 units and in code points', () => {
    const { offsets, codePointOffsets, tokens, specialMask } = open('llama3').encoding('🎉 ok');
    expect(tokens.at(-1)).toBe('k');
    expect([...offsets.slice(-2)]).toEqual([4, 5]);
    expect([...codePointOffsets().slice(-2)]).toEqual([3, 4]);
    expect([...offsets.slice(0, 2), ...specialMask.slice(0, 2)]).toEqual([0, 0, 1, 0]);
  });

  it('reads lone surrogates as what they are decoded to', () => {
    const tokenizer = open('qwen2');
    expect(tokenizer.decode(tokenizer.encode('a\ud83cb'))).toBe('a\ufffdb');
  });

  it('of SigLIP reads ▁ as a blank', () => {
    const tokenizer = open('siglip-spm');
    expect(tokenizer.encode('</s>▁quick')).toEqual(tokenizer.encode('</s> quick'));
  });

  it('of BPE leaves out what it has no token for', () => {
    const model = { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: [['a', 'b']] };
    expect([...tokenizerFromJson({ model }).encode('a🎉bba')]).toEqual([2, 1, 0]);
  });

  it('takes special tokens that only the configuration names', () => {
    const file = caseJson<JsonObject>('tokenizer-gpt2/base/tokenizer.json');
    const tokenizer = tokenizerFromJson(file, {
      bos_token: { content: '<new>' },
      extra_special_tokens: ['<b>'],
    });
    const before = open('gpt2').vocabSize;
    expect(tokenizer.specialTokens).toEqual({ bos_token: '<new>' });
    expect([...tokenizer.encode('<new><b>')]).toEqual([before, before + 1]);
  });
});

describe('a batch', () => {
  const tokenizer = open('llama3');

  it('is padded and cut on either side', () => {
    const texts = ['The quick brown fox', 'a'];
    const { input_ids, attention_mask, encodings } = tokenizer.batch(texts, {
      padding: true,
      truncation: true,
      maxLength: 3,
      paddingSide: 'left',
    });
    expect(input_ids.shape).toEqual([2, 3]);
    expect([...attention_mask!.data]).toEqual([1, 1, 1, 0, 1, 1]);
    expect(encodings.map(({ ids }) => ids.length)).toEqual([3, 2]);
  });

  it('is refused where its texts differ in length, or nothing can pad them', () => {
    expect(() => tokenizer.batch(['a', 'b c d'])).toThrow(/texts of one length, or padding/);
    const bare = tokenizerFromJson(tokenizer.toJson());
    expect(() => bare.batch(['a', 'b c d'], { padding: true })).toThrow(/a pad_token/);
    expect(() => tokenizer.batch(['a'], { pairs: [] })).toThrow(TokenizerError);
  });
});

describe('tokenizerFromJson', () => {
  const file = caseJson<JsonObject & { model: JsonObject }>('tokenizer-gpt2/base/tokenizer.json');

  it('takes the file as text and parsed, and gives it back', () => {
    const tokenizer = tokenizerFromJson(file);
    expect(tokenizer.toJson()).toEqual(file);
    expect(tokenizerFromJson(JSON.stringify(tokenizer.toJson())).encode('hello')).toEqual(
      tokenizer.encode('hello'),
    );
  });

  it('needs no part but the model', () => {
    const model = { type: 'WordLevel', vocab: { a: 0, '?': 1 }, unk_token: '?' };
    const tokenizer = tokenizerFromJson({ model, pre_tokenizer: { type: 'WhitespaceSplit' } });
    expect([...tokenizer.encode('a b a')]).toEqual([0, 1, 0]);
    expect(tokenizer.vocabSize).toBe(2);
  });

  it('refuses text that it has no token for', () => {
    const model = { type: 'WordLevel', vocab: { a: 0 } };
    const tokenizer = tokenizerFromJson({ model, pre_tokenizer: { type: 'WhitespaceSplit' } });
    expect(() => tokenizer.encode('a zebra')).toThrow(
      'tokenizer: expected text of its vocabulary, since it has no token for unknown text, got "zebra".',
    );
  });

  it.each([
    ['{"model": ', /^tokenizer\.json: expected JSON, got /],
    ['[]', 'tokenizer.json: expected a JSON object, got [].'],
    ['null', 'tokenizer.json: expected a JSON object, got null.'],
    [{}, 'tokenizer.json model: expected a JSON object, got nothing.'],
    [{ model: { type: 'Magic' } }, /model\.type: expected BPE, .* got 'Magic'/],
    [{ ...file, decoder: { type: 'Magic' } }, /decoder\.type: expected .*, got 'Magic'/],
    [{ ...file, model: { ...file.model, merges: 7 } }, TokenizerError],
    [{ ...file, added_tokens: null }, TokenizerError],
  ])('refuses %.40s', (json, message) => {
    const open = () => tokenizerFromJson(json as string);
    expect(open).toThrow(TokenizerError);
    expect(open).toThrow(message);
  });

  it('refuses a malformed configuration', () => {
    expect(() => tokenizerFromJson(file, '{')).toThrow(/^tokenizer_config\.json: expected JSON/);
  });
});
