import type { AlignedBuilder } from './aligned';

/**
 * A character of a changed text, and by how many it is more or fewer than what it was made from: 1 for one that came in
 * addition, −1 for one that took another in.
 */
export interface Changed {
  readonly character: string;
  readonly change: number;
}

/**
 * Writes what became of a segment. Each character is aligned to the next one of the segment that is not used up, an
 * additional one to the last that is.
 *
 * Source: `transform_range` of huggingface/tokenizers, tokenizers/src/tokenizer/normalizer.rs.
 *
 * @param from the place of the segment in the text that is built from
 */
export function writeChanged(
  builder: AlignedBuilder,
  segment: string,
  from: number,
  result: readonly Changed[],
): void {
  const places: number[] = [];
  for (let at = from; at < from + segment.length; ) {
    places.push(at);
    at += String.fromCodePoint(segment.codePointAt(at - from)!).length;
  }
  let next = 0;
  for (const { character, change } of result) {
    const place = change > 0 ? next - 1 : next;
    builder.write(character, places[Math.min(Math.max(place, 0), places.length - 1)]);
    if (change <= 0) next += 1 - change;
  }
}
