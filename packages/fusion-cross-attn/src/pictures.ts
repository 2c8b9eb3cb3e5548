import { ConfigError, type FusionInputs, type ImageFeatures, ShapeError, type ViewTokens } from '@mmllm/core';
import { selectRows } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { Sight } from './layer';
import type { TagPlace } from './tags';

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

export interface SightOptions {
  /**
   * Which pictures a token sees, of those whose first token stands at or before it: `all` of them, or the `latest`, with
   * those whose tokens stand right before its own.
   */
  readonly sees: 'all' | 'latest';
  /**
   * What becomes of tokens that see no picture: they `skip` the layers and stay as they are, as in Meta's code, or they
   * `attend` to all views of their sample's pictures, filling too, and skip only the MLP, as in transformers.
   */
  readonly blind: 'skip' | 'attend';
}

/** A feature row that tokens look at. */
export interface Key {
  readonly row: number;
  /** Nobody looks at it, but tokens that see no picture may: see `SightOptions.blind`. */
  readonly isFilling: boolean;
}

/** The keys of a view. @param mask of the feature rows; rows with 0 are filling. */
export function keysOf({ start, count, valid }: ViewTokens, mask?: Uint8Array): Key[] {
  return Array.from({ length: count }, (_, i) => {
    const row = start + i;
    return { row, isFilling: valid === false || mask?.[row] === 0 };
  });
}

/** A picture as the tokens of its sample see it. */
export interface SeenPicture {
  readonly sample: number;
  /** Position of its first token, from which on it is seen, and of its last. */
  readonly first: number;
  readonly last: number;
  /** The keys of each view. */
  readonly views: readonly (readonly Key[])[];
  /** Tokens that see one of its views alone. */
  readonly alone?: readonly TagPlace[];
}

/** Keys from the first on, up to before the second. */
type Span = readonly [from: number, to: number];

/** The pictures of a batch as keys: which feature rows each sample has, and which of them each token sees. */
export class PictureKeys {
  /** Keys of every sample, int32[B]. */
  readonly counts: Int32Array;
  /** S: the most keys of a sample. */
  readonly length: number;
  /** B */
  readonly batch: number;
  readonly #options: SightOptions;
  readonly #promptLength: number;
  /** Feature rows of every sample. A sample's pictures lie in the order of the text. */
  readonly #rows: readonly (readonly number[])[];
  /** Whether a sample's key is filling that nobody looks at. */
  readonly #filling: readonly (readonly boolean[])[];
  readonly #hasFilling: boolean;
  /** The keys that a token of the prompt sees of its sample's, B · T. */
  readonly #visible: readonly Span[];
  /** The same for tokens behind the prompt, B. */
  readonly #behind: readonly Span[];
  #last?: { key: string; sight: Sight };

  /** @param pictures of each sample in the order of the text, the samples in order. */
  constructor(
    pictures: readonly SeenPicture[],
    [batch, promptLength]: readonly [number, number],
    options: SightOptions,
  ) {
    this.batch = batch;
    this.#options = options;
    this.#promptLength = promptLength;
    const rows = Array.from({ length: batch }, (): number[] => []);
    const filling = Array.from({ length: batch }, (): boolean[] => []);
    const visible = new Array<Span>(batch * promptLength).fill([0, 0]);
    const behind = new Array<Span>(batch).fill([0, 0]);
    pictures.forEach(({ sample, first, views, alone = [] }, i) => {
      const before = pictures[i - 1]?.sample === sample ? pictures[i - 1] : undefined;
      const touches = before?.last === first - 1;
      // The latest picture is seen alone, unless the one before it stands right in front.
      const from = options.sees === 'all' ? 0 : touches ? behind[sample][0] : rows[sample].length;
      const spans = views.map((keys): Span => {
        const kept = options.blind === 'skip' ? keys.filter(({ isFilling }) => !isFilling) : keys;
        const start = rows[sample].length;
        rows[sample].push(...kept.map(({ row }) => row));
        filling[sample].push(...kept.map(({ isFilling }) => isFilling));
        return [start, rows[sample].length];
      });
      // From its first token on; the next picture, which stands behind it, says anew.
      behind[sample] = [from, rows[sample].length];
      const row = sample * promptLength;
      visible.fill(behind[sample], row + first, row + promptLength);
      for (const place of alone) visible.fill(spans[place.view], row + place.from, row + place.to);
    });
    this.#rows = rows;
    this.#filling = filling;
    this.#hasFilling = filling.some((row) => row.includes(true));
    this.#visible = visible;
    this.#behind = behind;
    this.counts = Int32Array.from(rows, ({ length }) => length);
    this.length = Math.max(0, ...this.counts);
  }

  /**
   * The features as float32[B, S, D], a sample's keys first and zeros behind them. The caller owns the result.
   * @param more float32[rows, D] whose rows count behind those of the features
   * @throws ShapeError if a row is missing.
   */
  gather(component: string, { features }: ImageFeatures, more?: tf.Tensor2D): tf.Tensor3D {
    const width = features.shape[1];
    const numRows = features.shape[0] + (more?.shape[0] ?? 0);
    const needed = this.#rows.flat().reduce((max, row) => Math.max(max, row + 1), 0);
    if (needed > numRows) {
      throw new ShapeError({ component, expected: `${needed} feature rows`, actual: `${numRows}` });
    }
    const index = Int32Array.from({ length: this.batch * this.length }, (_, place) => {
      const sample = Math.floor(place / this.length);
      return this.#rows[sample][place % this.length] ?? -1;
    });
    const shape: [number, number, number] = [this.batch, this.length, width];
    const inPlace = !more && numRows === index.length && index.every((row, place) => row === place);
    if (inPlace) return tf.reshape(features, shape);
    return tf.tidy(() => {
      const table = more ? (tf.concat([features, more], 0) as tf.Tensor2D) : features;
      return tf.reshape(selectRows(table, index), shape);
    });
  }

  /**
   * What `length` tokens behind `offset` others see, in each of the `copies` rows of a sample. The rows count as one:
   * their tokens stand one after the other. Tokens after the prompt see what its last one sees.
   */
  sight(offset: number, length: number, copies = 1): Sight {
    const key = `${offset},${length},${copies}`;
    if (this.#last?.key !== key) this.#last = { key, sight: this.#lookFrom(offset, length, copies) };
    return this.#last.sight;
  }

  #lookFrom(offset: number, length: number, copies: number): Sight {
    const spans = Array.from({ length: this.batch * copies * length }, (_, place) => {
      const sample = Math.floor(place / (copies * length));
      const position = offset + (place % length);
      if (position >= this.#promptLength) return this.#behind[sample];
      return this.#visible[sample * this.#promptLength + position];
    });
    const perSample = copies * length;
    const isBlind = ([from, to]: Span) => from === to;
    const isWhole = ([from, to]: Span, place: number) =>
      from === 0 && to === this.counts[Math.floor(place / perSample)];
    const attends = this.#options.blind === 'attend';
    const isPlain = !this.#hasFilling && spans.every((span, place) => isWhole(span, place) || isBlind(span));
    return {
      rule: isPlain ? this.#wholeRule() : this.#biasRule(spans, perSample),
      seeing: spans.some(isBlind) ? Float32Array.from(spans, (span) => (isBlind(span) ? 0 : 1)) : undefined,
      blindAttend: attends,
    };
  }

  /** Where a token sees all pictures of its sample or none, it is enough to hide what fills up the batch. */
  #wholeRule(): Sight['rule'] {
    return { causal: false, end: this.counts.some((count) => count < this.length) ? this.counts : undefined };
  }

  /** Some token sees only some of its sample's keys: the general case. */
  #biasRule(spans: readonly Span[], perSample: number): Sight['rule'] {
    const bias = new Float32Array(spans.length * this.length).fill(HIDDEN);
    spans.forEach(([from, to], place) => {
      const sample = Math.floor(place / perSample);
      const row = place * this.length;
      if (from === to) {
        // Blind: what it looks at counts only where blind tokens attend, which is to everything.
        bias.fill(0, row, row + this.counts[sample]);
        return;
      }
      for (let key = from; key < to; key++) if (!this.#filling[sample][key]) bias[row + key] = 0;
    });
    return { causal: false, bias, biasShape: [this.batch, 1, perSample, this.length] };
  }
}
