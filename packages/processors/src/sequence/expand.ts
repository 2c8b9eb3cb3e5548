import { PlaceholderCountError, type SequencePiece } from '@mmllm/core';

/** A prompt in which one image token stands for a run of ids. */
export interface ExpandedText {
  readonly text: string;
  /** How often the id of each image token in the text is repeated, in their order. */
  readonly repeats: readonly number[];
}

/**
 * Puts the pieces of each picture where its image token stands. A run of features is a single image token here, so
 * that the text stays short; `repeatImageIds` makes it as long as it is. Texts between (tile tags, row separators)
 * are tokenised together with what surrounds them, as the published processors do.
 */
export function expandImages(
  prompt: string,
  imageToken: string,
  pictures: readonly (readonly SequencePiece[])[],
): ExpandedText {
  const [head, ...tails] = prompt.split(imageToken);
  const repeats: number[] = [];
  let text = head;
  tails.forEach((tail, index) => {
    for (const piece of pictures[index]) {
      if (piece.kind === 'text') {
        text += piece.text;
        continue;
      }
      const count = piece.kind === 'features' ? piece.count : 1;
      if (count === 0) continue;
      text += imageToken;
      repeats.push(count);
    }
    text += tail;
  });
  return { text, repeats };
}

/**
 * Repeats the ids of image tokens.
 * @throws PlaceholderCountError if the tokenizer did not find the image tokens that the text was made with.
 */
export function repeatImageIds(
  ids: Int32Array,
  imageTokenId: number,
  repeats: readonly number[],
): Int32Array {
  const found = ids.reduce((count, id) => count + (id === imageTokenId ? 1 : 0), 0);
  if (found !== repeats.length) {
    throw new PlaceholderCountError({
      component: 'processor',
      expected: `${repeats.length} image tokens in the tokenised prompt`,
      actual: `${found}`,
      hint: 'Its tokenizer must read the image token where a text spells it, and nowhere else.',
    });
  }
  if (found === 0) return ids;
  const extra = repeats.reduce((sum, count) => sum + count - 1, 0);
  const result = new Int32Array(ids.length + extra);
  let at = 0;
  let image = 0;
  for (const id of ids) {
    const count = id === imageTokenId ? repeats[image++] : 1;
    result.fill(id, at, at + count);
    at += count;
  }
  return result;
}
