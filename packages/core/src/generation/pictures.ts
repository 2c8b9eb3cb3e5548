import type { ImageSource, ModelInputs, Sample, TokenIds } from '../contracts';
import type { MultimodalModel } from '../model';

/** The pictures of a sample in the order of its image tokens. */
export function picturesOf(sample: Sample): readonly ImageSource[] {
  if ('prompt' in sample) return sample.images ?? [];
  return sample.messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.flatMap((part) => (part.type === 'image' ? [part.image] : [])),
  );
}

const numbers = new WeakMap<object, number>();
const numbersOfNames = new Map<string, number>();
let last = 0;

/** Longer ones hold the picture itself, and are not kept. */
const LONGEST_NAME = 2048;

/** The same picture has the same number: the same object, or the same path or URL. */
function numberOf(picture: ImageSource): number {
  const name = picture instanceof URL ? picture.href : picture;
  const known = typeof name === 'string' ? numbersOfNames.get(name) : numbers.get(name);
  if (known !== undefined) return known;
  last++;
  if (typeof name !== 'string') numbers.set(name, last);
  else if (name.length <= LONGEST_NAME) numbersOfNames.set(name, last);
  return last;
}

/** The ids of a batch, with a negative number in place of each picture's image tokens. */
export function tokensWithPictures(
  model: MultimodalModel,
  { ids, images, imageTokenId }: ModelInputs,
  pictures: readonly ImageSource[],
): TokenIds {
  const { fusion } = model;
  if (!fusion || !images) return ids;
  const places = model.imageTokens(images.images).flatMap((tokens, i) => {
    const count = fusion
      .placeholders(tokens)
      .reduce(
        (sum, piece) => sum + (piece.kind === 'features' ? piece.count : Number(piece.kind === 'marker')),
        0,
      );
    return new Array<number>(count).fill(-numberOf(pictures[i]!));
  });
  let next = 0;
  const data = ids.data.map((id) => (id === imageTokenId ? (places[next++] ?? id) : id));
  return { data, shape: ids.shape };
}
