import type { RenderedChat } from './message';

/**
 * 1 for each token of what the assistant said, else 0.
 *
 * As transformers' `return_assistant_tokens_mask`, its odd rules included: a stretch whose start is in no token ends
 * the search, and one whose last character is in no token, or in the very first, goes on to the end of the text.
 *
 * @param offsets int32[N * 2], `[start, end)` of each token in UTF-16 units.
 * @returns int32[N]
 */
export function assistantMask({ generations = [] }: RenderedChat, offsets: Int32Array): Int32Array {
  const mask = new Int32Array(offsets.length / 2);
  for (const [start, end] of generations) {
    const first = tokenAt(offsets, start);
    if (first === undefined) break;
    const last = tokenAt(offsets, end - 1);
    mask.fill(1, first, last ? last + 1 : mask.length);
  }
  return mask;
}

/** The first token that a character is in. */
function tokenAt(offsets: Int32Array, position: number): number | undefined {
  for (let i = 0; i < offsets.length; i += 2) {
    if (position >= offsets[i] && position < offsets[i + 1]) return i / 2;
  }
  return undefined;
}
