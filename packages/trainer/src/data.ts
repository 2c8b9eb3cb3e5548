import { ConfigError, permutation, type Random, random } from '@mmllm/core';

/** Samples that are made when they are asked for. */
export interface SampleSource<S> {
  readonly length: number;
  /**
   * @param random numbers for augmentation, the same ones whenever this place of the stage comes again after a resume.
   */
  get(index: number, random: Random): S | Promise<S>;
  /** True if `get` gives other pictures each time, which makes keeping their features useless. Default false. */
  readonly augmented?: boolean;
}

/**
 * What a stage learns from. Features of frozen parts are kept by picture object (or path), so a source that gives
 * the same picture again should give the same object.
 */
export type Dataset<S> = readonly S[] | SampleSource<S>;

/** Samples made from others, at random and anew whenever one is taken. The change must not write to the sample. */
export function augmented<S, T = S>(
  data: Dataset<S>,
  change: (sample: S, random: Random) => T | Promise<T>,
): SampleSource<T> {
  return {
    length: data.length,
    get: async (index, random) => change(await at(data, index, random), random),
    augmented: true,
  };
}

function at<S>(data: Dataset<S>, index: number, random: Random): S | Promise<S> {
  return isSource(data) ? data.get(index, random) : data[index];
}

const isSource = <S>(data: Dataset<S>): data is SampleSource<S> => 'get' in data;

export const isAugmented = (data: Dataset<unknown>): boolean => isSource(data) && data.augmented === true;

/**
 * The endless sequence of a stage's samples: one shuffled epoch after another, a pure function of seed, stage and
 * position.
 */
export class SampleStream<S> {
  private epoch = -1;
  private order: ArrayLike<number> = [];

  /** @throws ConfigError for an empty dataset. */
  constructor(
    private readonly data: Dataset<S>,
    private readonly seed: number,
    private readonly stage: string,
  ) {
    if (data.length > 0) return;
    throw new ConfigError({
      component: `stage '${stage}'.data`,
      expected: 'at least one sample',
      actual: 'none',
    });
  }

  /** The samples at positions `start` to `start + count` (exclusive), counted from the stage's beginning. */
  take(start: number, count: number): Promise<S[]> {
    return Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const position = start + i;
        return at(this.data, this.index(position), random(this.seed, 'augment', this.stage, position));
      }),
    );
  }

  private index(position: number): number {
    const epoch = Math.floor(position / this.data.length);
    if (epoch !== this.epoch) {
      this.order = permutation(this.data.length, random(this.seed, 'order', this.stage, epoch));
      this.epoch = epoch;
    }
    return this.order[position % this.data.length];
  }
}
