import { ConfigError, type Positions } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

/** How a model stretches its frequencies beyond the length it was first trained on. */
export type RopeScaling =
  /** Chen et al., arXiv:2306.15595: all positions are divided by `factor`. */
  | { readonly type: 'linear'; readonly factor: number }
  /** Llama 3.1: low frequencies are divided by `factor`, high ones kept, those between interpolated. */
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositions: number;
    };

export interface RopeTableOptions {
  /** Rotated dimensions of a head; even. */
  readonly dim: number;
  /** Base of the frequencies, `rope_theta`. */
  readonly theta: number;
  readonly scaling?: RopeScaling;
  /**
   * For positions of several axes: how many of the `dim / 2` frequencies, in order, turn by each axis
   * (`mrope_section`). They add up to `dim / 2`. Positions of one axis turn all of them.
   */
  readonly sections?: readonly number[];
}

/**
 * Cosines and sines for `rope`, float32[B or 1, T, dim / 2] each. A type alias, which `tf.tidy` accepts as a result.
 */
export type RopeTables = {
  readonly cos: tf.Tensor3D;
  readonly sin: tf.Tensor3D;
};

/**
 * The angular frequencies `theta^(−2i / dim)` with their scaling, float32[dim / 2], rounded as PyTorch's are.
 *
 * @throws ConfigError if `dim` is odd or not positive.
 */
export function ropeFrequencies({ dim, theta, scaling }: RopeTableOptions): Float32Array {
  if (!(dim > 0) || dim % 2 !== 0) {
    throw new ConfigError({ component: 'ropeTables', expected: 'an even, positive dim', actual: `${dim}` });
  }
  const frequencies = Float32Array.from(
    { length: dim / 2 },
    (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / dim)),
  );
  return scaling ? frequencies.map((frequency) => scaled(frequency, scaling)) : frequencies;
}

function scaled(frequency: number, scaling: RopeScaling): number {
  if (scaling.type === 'linear') return frequency / scaling.factor;
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
  const turns = (originalMaxPositions * frequency) / (2 * Math.PI);
  const kept = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  const share = Math.min(1, Math.max(0, kept));
  return share * frequency + ((1 - share) * frequency) / factor;
}

/**
 * Cosine and sine of `position · frequency`, computed on the host in double precision from angles rounded to float32
 * as Hugging Face's are. If all samples have the same positions, there is one row for them all. The caller owns both
 * tensors.
 *
 * @throws ConfigError if `dim` is odd, or `sections` does not fit the axes of the positions and `dim`.
 */
export function ropeTables(positions: Positions, options: RopeTableOptions): RopeTables {
  const frequencies = ropeFrequencies(options);
  const axisOf = frequencyAxes(frequencies.length, positions.axes, options.sections);
  const [samples, length] = positions.shape;
  const batch = isSameInEverySample(positions) ? Math.min(1, samples) : samples;
  const size = batch * length * frequencies.length;
  const [cos, sin] = [new Float32Array(size), new Float32Array(size)];
  let to = 0;
  for (let row = 0; row < batch * length; row++) {
    for (const [i, frequency] of frequencies.entries()) {
      const position = positions.data[axisOf[i]! * samples * length + row]!;
      const angle = Math.fround(position * frequency);
      cos[to] = Math.cos(angle);
      sin[to] = Math.sin(angle);
      to++;
    }
  }
  const shape: [number, number, number] = [batch, length, frequencies.length];
  return { cos: tf.tensor3d(cos, shape), sin: tf.tensor3d(sin, shape) };
}

/** The axis of positions that each frequency turns by. */
function frequencyAxes(numFrequencies: number, axes: number, sections?: readonly number[]): number[] {
  const parts = axes === 1 ? [numFrequencies] : (sections ?? []);
  const axisOf = parts.flatMap((count, axis) => new Array<number>(count).fill(axis));
  if (axisOf.length !== numFrequencies || parts.length !== axes) {
    throw new ConfigError({
      component: 'ropeTables',
      expected: `${axes} sections that add up to ${numFrequencies}`,
      actual: sections ? `[${sections.join(', ')}]` : 'none',
    });
  }
  return axisOf;
}

function isSameInEverySample({ data, axes, shape: [samples, length] }: Positions): boolean {
  for (let axis = 0; axis < axes; axis++) {
    const first = axis * samples * length;
    for (let i = 0; i < samples * length; i++) {
      if (data[first + i] !== data[first + (i % length)]) return false;
    }
  }
  return true;
}
