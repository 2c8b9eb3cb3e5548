import { describe, expect, it } from 'vitest';
import { tokenizerFromJson } from '../tokenizer/tokenizer';
import { wordTokenizer } from './words';

const texts = ['Is there a red circle?', "what's the colour, a teal one?", 'is there a red circle?'];

describe('wordTokenizer', () => {
  const tokenizer = wordTokenizer(texts);

  it('numbers the unknown token, the special tokens, then the words as they come', () => {
    const words = [
      '<unk>',
      '<pad>',
      '<s>',
      '</s>',
      '<image>',
      'is',
      'there',
      'a',
      'red',
      'circle',
      '?',
      'what',
      "'",
      's',
    ];
    expect(words.map((word) => tokenizer.tokenId(word))).toEqual(words.map((_, id) => id));
    expect(tokenizer.vocabSize).toBe(words.length + ['the', 'colour', ',', 'teal', 'one'].length);
  });

  it('reads words in any case and single marks', () => {
    expect([...tokenizer.encode('RED,\n\tred?? ')]).toEqual(
      ['red', ',', 'red', '?', '?'].map(tokenizer.tokenId),
    );
    expect([...tokenizer.encode('')]).toEqual([]);
  });

  it('makes anything else unknown', () => {
    expect([...tokenizer.encode('a purple circles')]).toEqual([tokenizer.tokenId('a'), 0, 0]);
    expect([...tokenizer.encode('constructor __proto__')]).toEqual(Array(6).fill(0));
  });

  it('reads special tokens as one id, also without blanks, and in their own case only', () => {
    const [bos, eos, image, red] = ['<s>', '</s>', '<image>', 'red'].map(tokenizer.tokenId);
    expect([...tokenizer.encode('<s>red<image><image>red</s>')]).toEqual([bos, red, image, image, red, eos]);
    expect([...tokenizer.encode('red <IMAGE> red')]).not.toContain(image);
  });

  it('gives text back, with or without its special tokens', () => {
    const ids = tokenizer.encode('<s>Is there a red circle, a teal one?</s>');
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('is there a red circle, a teal one?');
    expect(tokenizer.decode(ids)).toBe('<s> is there a red circle, a teal one? </s>');
    expect(tokenizer.decode([])).toBe('');
  });

  it('takes other special tokens, and a list of words', () => {
    const colours = wordTokenizer(['red', 'teal'], { specialTokens: ['<end>', '<unk>'] });
    expect([...colours.encode('teal red<end> <image>')]).toEqual([3, 2, 1, 0, 0, 0]);
    expect(colours.vocabSize).toBe(4);
  });

  it('is saved and opened as tokenizer.json', () => {
    const opened = tokenizerFromJson(JSON.stringify(tokenizer.toJson()));
    for (const text of [...texts, '<s>an unknown <image> word</s>']) {
      expect(opened.encode(text)).toEqual(tokenizer.encode(text));
    }
    expect(opened.toJson()).toEqual(tokenizer.toJson());
  });
});
