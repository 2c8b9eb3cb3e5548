import {
  ConfigError,
  type FusionInputs,
  type ImageFeatures,
  type ImageTokens,
  ShapeError,
  type ViewTokens,
} from '@mmllm/core';
import { featureRows, type PlacedImage } from '@mmllm/fusion-unified';
import { selectRows } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { Sight } from './layer';

/** Finite: a softmax over minus infinities alone is no number. */
const HIDDEN = -1e9;

/** @throws ConfigError for packed samples: a row's tokens would see the pictures of the samples before their own. */
export function refusePacked(component: string, { blocks }: FusionInputs): void {
  if (!blocks) return;
  throw new ConfigError({
    component,
    expected: 'one sample with pictures to a row',
    actual: 'packed samples',
    hint: 'Leave out packing, or use the unified fusion.',
  });
}

/** The pictures of a batch as keys: which feature rows each sample has, and which of them each token sees. */
export class PictureKeys {
  /** Keys of every sample, int32[B]. */
  readonly counts: Int32Array;
  /** S: the most keys of a sample. */
  readonly length: number;
  /** B */
  readonly batch: number;
  readonly #promptLength: number;
  /** Feature rows of every sample. A sample's pictures lie in the order of the text. */
  readonly #rows: readonly (readonly number[])[];
  /** How many of its sample's keys a token of the prompt sees, int32[B · T]: always the first ones. */
  readonly #visible: Int32Array;
  #last?: { key: string; sight: Sight };

  /**
   * @param viewsOf which views of a picture are seen through cross-attention.
   * @param mask of the feature rows; rows with 0 are no keys.
   */
  constructor(
    images: readonly PlacedImage[],
    [batch, promptLength]: readonly [number, number],
    viewsOf: (image: ImageTokens) => readonly ViewTokens[],
    mask?: Uint8Array,
  ) {
    this.batch = batch;
    this.#promptLength = promptLength;
    const rows = Array.from({ length: batch }, (): number[] => []);
    this.#visible = new Int32Array(batch * promptLength);
    for (const { image, sample, positions } of images) {
      rows[sample].push(...featureRows(viewsOf(image)).filter((row) => mask?.[row] !== 0));
      // From its first token on; the next picture, which stands behind it, adds its own.
      const from = sample * promptLength + (positions[0] ?? 0);
      this.#visible.fill(rows[sample].length, from, (sample + 1) * promptLength);
    }
    this.#rows = rows;
    this.counts = Int32Array.from(rows, ({ length }) => length);
    this.length = Math.max(0, ...this.counts);
  }

  /**
   * The features as float32[B, S, D], a sample's keys first and zeros behind them. The caller owns the result.
   * @throws ShapeError if a row is missing.
   */
  gather(component: string, { features }: ImageFeatures): tf.Tensor3D {
    const [numRows, width] = features.shape;
    const needed = this.#rows.flat().reduce((max, row) => Math.max(max, row + 1), 0);
    if (needed > numRows) {
      throw new ShapeError({ component, expected: `${needed} feature rows`, actual: `${numRows}` });
    }
    const index = Int32Array.from({ length: this.batch * this.length }, (_, place) => {
      const sample = Math.floor(place / this.length);
      return this.#rows[sample][place % this.length] ?? -1;
    });
    const shape: [number, number, number] = [this.batch, this.length, width];
    const inPlace = numRows === index.length && index.every((row, place) => row === place);
    if (inPlace) return tf.reshape(features, shape);
    return tf.tidy(() => tf.reshape(selectRows(features, index), shape));
  }

  /**
   * What `length` tokens behind `offset` others see, in each of the `copies` rows of a sample. The rows count as one:
   * their tokens stand one after the other. Tokens after the prompt see all pictures of their sample.
   */
  sight(offset: number, length: number, copies = 1): Sight {
    const key = `${offset},${length},${copies}`;
    if (this.#last?.key !== key) this.#last = { key, sight: this.#lookFrom(offset, length, copies) };
    return this.#last.sight;
  }

  #lookFrom(offset: number, length: number, copies: number): Sight {
    const visible = new Int32Array(this.batch * copies * length);
    let several = false;
    for (let place = 0; place < visible.length; place++) {
      const sample = Math.floor(place / (copies * length));
      const position = offset + (place % length);
      visible[place] =
        position < this.#promptLength
          ? this.#visible[sample * this.#promptLength + position]
          : this.counts[sample];
      several ||= visible[place] !== 0 && visible[place] !== this.counts[sample];
    }
    return {
      rule: several ? this.#biasRule(visible) : this.#wholeRule(),
      seeing: visible.includes(0) ? Float32Array.from(visible, (count) => (count > 0 ? 1 : 0)) : undefined,
    };
  }

  /** Where a token sees all pictures of its sample or none, it is enough to hide the filling. */
  #wholeRule(): Sight['rule'] {
    return { causal: false, end: this.counts.some((count) => count < this.length) ? this.counts : undefined };
  }

  /** Some token stands between two pictures: the general case. */
  #biasRule(visible: Int32Array): Sight['rule'] {
    const bias = new Float32Array(visible.length * this.length);
    visible.forEach((count, place) => {
      bias.fill(HIDDEN, place * this.length + count, (place + 1) * this.length);
    });
    return { causal: false, bias, biasShape: [this.batch, 1, visible.length / this.batch, this.length] };
  }
}
