import { describe, expect, it } from 'vitest';
import { readParts } from '../testing/tokenizer-parts';
import { tokenizerFromJson } from './tokenizer';

// Expected values are Hugging Face's own: `__fixtures__/parts.py` says how they were made.
describe.each(readParts())('$name', ({ tokenizer: file, lines }) => {
  const tokenizer = tokenizerFromJson(file);

  it.each(lines)('encodes and decodes $text, $pair', ({ text, pair, ...expected }) => {
    const { ids, typeIds, specialMask, codePointOffsets } = tokenizer.encoding(text, { pair });
    expect({
      ids: [...ids],
      offsets: [...codePointOffsets()],
      types: [...typeIds],
      special: [...specialMask],
      decoded: tokenizer.decode(ids),
      skipped: tokenizer.decode(ids, { skipSpecialTokens: true }),
    }).toEqual(expected);
    // Without what is put around it.
    const { ids: alone } = tokenizer.encoding(text, { addSpecialTokens: false });
    if (pair === undefined) expect(tokenizer.encode(text)).toEqual(alone);
  });
});

describe.each(readParts().filter(({ cuts }) => cuts.length > 0))('$name', ({ tokenizer: file, cuts }) => {
  const tokenizer = tokenizerFromJson(file);

  it('cuts pairs on either side', () => {
    for (const { text, pair, length, side, ids } of cuts) {
      const { encodings } = tokenizer.batch([text], {
        pairs: [pair],
        truncation: true,
        truncationSide: side,
        maxLength: length,
      });
      expect([...encodings[0].ids], `${text} and ${pair} to ${length}, ${side}`).toEqual(ids);
    }
  });
});
