import { TokenizerError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { caseFile, caseJson } from '../testing/golden';
import { type JsonObject, tokenizerFromJson } from './json';

interface Line {
  text?: string;
  ids: number[];
  decoded: string;
  with_special?: number[];
  decoded_skip: string;
}

/**
 * Texts on which `@huggingface/tokenizers` 0.2.0 differs from the reference: it ignores `single_word`; in
 * lower case it ends a word in ς, not σ; and it takes U+FEFF off the end of decoded text.
 */
const differences: Record<string, { ids: string[]; decoded: string[] }> = {
  gpt2: { ids: ['a[[tag]] b'], decoded: [] },
  llama3: { ids: [], decoded: [] },
  clip: { ids: ['Ελληνικά ΣΑΣ σας'], decoded: ['\u00a0no\u2003break\u200bzero\u3000wide\ufeff'] },
};

const text = (path: string) => new TextDecoder().decode(caseFile(path));

describe.each(Object.keys(differences))('tokenizer-%s', (name) => {
  const folder = `tokenizer-${name}/base`;
  const tokenizer = tokenizerFromJson(
    text(`${folder}/tokenizer.json`),
    text(`${folder}/tokenizer_config.json`),
  );
  const lines = caseJson<Line[]>(`${folder}/golden.json`).filter((line) => line.text !== undefined);

  it('gives the ids of the reference', () => {
    expect(lines.length).toBeGreaterThan(40);
    const wrong = lines.filter(({ text, ids }) => `${tokenizer.encode(text!)}` !== `${ids}`);
    expect(wrong.map((line) => line.text)).toEqual(differences[name].ids);
  });

  it('gives the text of the reference back', () => {
    const all = lines.filter((line) => tokenizer.decode(line.with_special!) !== line.decoded);
    const plain = lines.filter(
      (line) => tokenizer.decode(line.with_special!, { skipSpecialTokens: true }) !== line.decoded_skip,
    );
    expect(all).toEqual([]);
    expect(plain.map((line) => line.text)).toEqual(differences[name].decoded);
  });

  it('knows its vocabulary', () => {
    const { added_tokens } = tokenizer.toJson() as { added_tokens: { id: number; content: string }[] };
    for (const { id, content } of added_tokens) expect(tokenizer.tokenId(content)).toBe(id);
    expect(tokenizer.vocabSize).toBe(1 + Math.max(...added_tokens.map(({ id }) => id)));
    expect(tokenizer.tokenId('no such token')).toBeUndefined();
    expect(tokenizer.decode([tokenizer.vocabSize + 5])).toBe('');
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
    [{ model: { type: 'Magic' } }, 'Unknown TokenizerModel type: Magic'],
    [{ ...file, decoder: { type: 'Magic' } }, 'Unknown Decoder type: Magic'],
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
