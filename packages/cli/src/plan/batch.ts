import {
  ConfigError,
  ContextLengthError,
  type ImageEncoder,
  type ImageSource,
  type ModelInputs,
  type MultimodalModel,
  type Picture,
  type Processor,
  type Sample,
  type SequencePiece,
} from '@mmllm/core';
import { greyPictures, largestPictureOf } from './pictures';

/** The sizes of a batch. */
export interface BatchSizes {
  /** Samples. */
  readonly batch: number;
  /** Tokens of each, pictures included. */
  readonly length: number;
  /** Pictures of each, all of the largest kind. */
  readonly images: number;
  /** Tokens of each, at its end, that the loss is a mean over. Default: all text behind the pictures. */
  readonly answer?: number;
}

/** What stands for pictures in the text of a model. */
export interface PictureText {
  readonly imageTokenId: number;
  /** Ids in front of every picture. */
  readonly opening?: readonly number[];
  /** Ids of the pieces of text among a picture's tokens, such as tags of tiles. A text that is not here is one token. */
  readonly pieces?: Readonly<Record<string, readonly number[]>>;
}

const IGNORED = -100;

/**
 * A batch of a token, the pictures, and text to the full length. The caller owns the pictures.
 * @throws ContextLengthError where that is not enough for the pictures and one token to learn.
 */
export function batchOf(model: MultimodalModel, sizes: BatchSizes, text: PictureText): ModelInputs {
  const { batch, length, images } = sizes;
  const other = text.imageTokenId === 1 ? 0 : 1;
  const head = [other, ...pictureIds(model, images, text, other)];
  const room = length - head.length;
  if (room < 1) {
    throw new ContextLengthError({
      component: 'plan length',
      expected: `at least ${head.length + 1} tokens, for ${images} of the largest pictures`,
      actual: `${length}`,
    });
  }
  const ids = [...head, ...new Array<number>(room).fill(other)];
  const learned = Math.min(sizes.answer ?? room, room);
  // Each token is predicted by the one before it.
  const isLearned = (t: number) => t >= length - 1 - learned && t < length - 1;
  return {
    ids: { data: repeated(ids, batch), shape: [batch, length] },
    labels: repeated(
      ids.map((_, t) => (isLearned(t) ? other : IGNORED)),
      batch,
    ),
    imageTokenId: text.imageTokenId,
    imagesPerSample: new Array(batch).fill(images),
    ...(images > 0 && { images: greyPictures(requiredEncoder(model), batch * images) }),
  };
}

/** Tokens in front of the text: the first of all, and those of the pictures. */
export const headLength = (model: MultimodalModel, images: number, text: PictureText): number =>
  1 + pictureIds(model, images, text, 0).length;

/** The ids of some pictures, one after the other. */
function pictureIds(model: MultimodalModel, count: number, text: PictureText, other: number): number[] {
  if (count === 0) return [];
  const [tokens] = model.imageTokens([largestPictureOf(requiredEncoder(model))]);
  const pieces = model.fusion!.placeholders(tokens);
  const ids = [...(text.opening ?? []), ...pieces.flatMap((piece) => idsOf(piece, text, other))];
  return Array.from({ length: count }, () => ids).flat();
}

function requiredEncoder({ encoder }: MultimodalModel): ImageEncoder {
  if (encoder) return encoder;
  throw new ConfigError({
    component: 'plan images',
    expected: '0, for a model of text alone',
    actual: 'more',
  });
}

function repeated(row: readonly number[], times: number): Int32Array {
  const all = new Int32Array(row.length * times);
  for (let i = 0; i < times; i++) all.set(row, i * row.length);
  return all;
}

function idsOf(
  piece: SequencePiece,
  { imageTokenId, pieces }: PictureText,
  other: number,
): readonly number[] {
  if (piece.kind === 'text') return pieces?.[piece.text] ?? [other];
  return new Array<number>(piece.kind === 'features' ? piece.count : 1).fill(imageTokenId);
}

/** Samples of which only their number and that of their pictures counts. */
export function samplesOf({ batch, images }: BatchSizes): Sample[] {
  return Array.from({ length: batch }, () => ({
    prompt: '',
    answer: '',
    images: Array.from({ length: images }, (): Picture => ({ data: new Uint8Array(3), width: 1, height: 1 })),
  }));
}

/** Gives a batch for samples, whatever they say. */
export class SizeProcessor implements Processor {
  readonly specVersion = 'processor/v1';
  readonly tokenizer = {
    vocabSize: 1,
    encode: () => new Int32Array(1),
    decode: () => '',
    tokenId: () => undefined,
  };
  readonly stopIds = [];
  readonly #batch: (samples: readonly Sample[]) => ModelInputs;

  constructor(batch: (samples: readonly Sample[]) => ModelInputs) {
    this.#batch = batch;
  }

  async process(samples: readonly Sample[]): Promise<ModelInputs> {
    return this.#batch(samples);
  }

  prepareImages(_images: readonly ImageSource[]): never {
    throw new Error('a plan has no pictures of its own');
  }
}
