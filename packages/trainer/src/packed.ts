import { ConfigError, ContextLengthError, type ModelInputs } from '@mmllm/core';
import type { Packing } from './objective';

/** A batch of rows that hold several samples each. */
export interface PackedInputs {
  /** Without the pictures, which lie as they did. */
  readonly inputs: Omit<ModelInputs, 'images'>;
  /** The pictures in the order of the packed text, by their place in the batch of before. */
  readonly pictures: readonly number[];
}

/**
 * Puts the samples of a batch into as few rows as the first fit gives: each goes to the first row that has room for it,
 * or begins a new one. A row's samples are its blocks.
 *
 * @param inputs a row for each sample, padded on the right.
 * @throws ContextLengthError for a sample that is longer than a row; ConfigError for a prefix that all tokens see.
 */
export function packed(inputs: ModelInputs, { length: capacity }: Packing): PackedInputs {
  const { prefix, start, images: _, ...rest } = inputs;
  if (prefix || start?.some((first) => first > 0)) {
    const actual = prefix ? 'a prefix that all tokens see' : 'padding on the left';
    throw new ConfigError({ component: 'packing', expected: 'causal samples from the start on', actual });
  }
  const rows = firstFit(lengthsOf(inputs), capacity);
  const ends = rows.map((row) => row.reduce((sum, { length }) => sum + length, 0));
  const shape = [rows.length, Math.max(...ends)] as const;
  const place = (values: Int32Array, padding: number) =>
    placed(values, inputs.ids.shape[1], rows, shape, padding);
  const samples = rows.map((row) => row.map(({ sample }) => sample));
  return {
    inputs: {
      ...rest,
      ids: { data: place(inputs.ids.data, 0), shape },
      end: Int32Array.from(ends),
      blocks: blocksOf(rows, shape),
      labels: inputs.labels && place(inputs.labels, -100),
      imagesPerSample: samples.map((row) =>
        row.reduce((sum, sample) => sum + inputs.imagesPerSample[sample], 0),
      ),
    },
    pictures: pictureOrder(inputs.imagesPerSample, samples.flat()),
  };
}

interface Piece {
  readonly sample: number;
  readonly length: number;
}

function lengthsOf({ ids: { shape }, end }: ModelInputs): number[] {
  return Array.from({ length: shape[0] }, (_, b) => end?.[b] ?? shape[1]);
}

function firstFit(lengths: readonly number[], capacity: number): Piece[][] {
  const rows: { free: number; pieces: Piece[] }[] = [];
  lengths.forEach((length, sample) => {
    if (length > capacity) {
      throw new ContextLengthError({
        component: 'packing',
        expected: `samples of at most ${capacity} tokens`,
        actual: `${length} tokens in sample ${sample} of a batch`,
      });
    }
    let row = rows.find(({ free }) => free >= length);
    if (!row) {
      row = { free: capacity, pieces: [] };
      rows.push(row);
    }
    row.free -= length;
    row.pieces.push({ sample, length });
  });
  return rows.map(({ pieces }) => pieces);
}

/** Values of samples, int32[B, T], moved to their rows. */
function placed(
  values: Int32Array,
  from: number,
  rows: readonly Piece[][],
  [batch, width]: readonly [number, number],
  padding: number,
): Int32Array {
  const out = new Int32Array(batch * width).fill(padding);
  rows.forEach((row, b) => {
    let at = b * width;
    for (const { sample, length } of row) {
      out.set(values.subarray(sample * from, sample * from + length), at);
      at += length;
    }
  });
  return out;
}

/** The number of each token's sample in its row; −1 for padding. */
function blocksOf(rows: readonly Piece[][], [batch, width]: readonly [number, number]): Int32Array {
  const blocks = new Int32Array(batch * width).fill(-1);
  rows.forEach((row, b) => {
    let at = b * width;
    row.forEach(({ length }, block) => {
      blocks.fill(block, at, at + length);
      at += length;
    });
  });
  return blocks;
}

function pictureOrder(imagesPerSample: readonly number[], samples: readonly number[]): number[] {
  const first = imagesPerSample.map((_, b) => imagesPerSample.slice(0, b).reduce((sum, n) => sum + n, 0));
  return samples.flatMap((sample) =>
    Array.from({ length: imagesPerSample[sample] }, (_, i) => first[sample] + i),
  );
}
