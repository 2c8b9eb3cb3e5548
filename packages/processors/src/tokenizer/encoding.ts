import type { Sequence, TokenOf } from './post-processors';

/** What became of a text. */
export interface Encoding {
  /** int32[N] */
  readonly ids: Int32Array;
  /** How the vocabulary writes each id. */
  readonly tokens: readonly string[];
  /** int32[N]: 1 for the second text of a pair, in most vocabularies. */
  readonly typeIds: Int32Array;
  /** uint8[N]: 1 for tokens that were put around the text. */
  readonly specialMask: Uint8Array;
  /** int32[N · 2]: `[start, end)` of each token in its text, in UTF-16 units; `[0, 0)` for what was put around it. */
  readonly offsets: Int32Array;
  /** The same in Unicode code points, as Python counts. */
  codePointOffsets(): Int32Array;
}

export function encodingOf(parts: readonly Sequence[], tokenOf: TokenOf): Encoding {
  const ids = Int32Array.from(parts.flatMap((part) => part.ids));
  const offsets = Int32Array.from(parts.flatMap((part) => part.offsets));
  let tokens: string[] | undefined;
  return {
    ids,
    get tokens() {
      tokens ??= Array.from(ids, tokenOf);
      return tokens;
    },
    typeIds: Int32Array.from(parts.flatMap((part) => part.types)),
    specialMask: Uint8Array.from(parts.flatMap((part) => part.special)),
    offsets,
    codePointOffsets() {
      return Int32Array.from(
        parts.flatMap(({ offsets, text }) => (text === undefined ? offsets : inCodePoints(offsets, text))),
      );
    },
  };
}

function inCodePoints(offsets: readonly number[], text: string): number[] {
  const counts = new Int32Array(text.length + 1);
  let count = 0;
  for (let at = 0; at < text.length; count++) {
    const length = text.codePointAt(at)! > 0xffff ? 2 : 1;
    counts.fill(count, at, at + length);
    at += length;
  }
  counts[text.length] = count;
  return offsets.map((offset) => counts[offset]);
}
