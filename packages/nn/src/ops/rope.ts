import { ConfigError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { defineOp } from './define-op';

export interface RopeOptions {
  readonly numHeads: number;
  /** How many leading dimensions of each head are rotated; even. Default: all. */
  readonly rotaryDim?: number;
  /**
   * Which two dimensions turn together: i and i + rotaryDim / 2 (false, the layout of Hugging Face's Llama), or 2i and
   * 2i + 1 (true, the layout of the paper and of Meta's weights). Default false.
   */
  readonly interleaved?: boolean;
}

interface RopeAttrs extends Required<RopeOptions> {
  /** Turns the other way, which is the gradient. */
  inverse: boolean;
}

interface RopeInputs {
  x: tf.Tensor3D;
  cos: tf.Tensor3D;
  sin: tf.Tensor3D;
}

type Rotate = (inputs: RopeInputs, attrs: RopeAttrs) => tf.Tensor3D;

const rotate: Rotate = defineOp<RopeInputs, RopeAttrs, 'cos' | 'sin', tf.Tensor3D>({
  name: 'mmllm/Rope',
  // x · cos + turned(x) · sin with one product by a signed permutation: slices and concatenations along the last axis
  // cost more on wasm, and every layout is just another permutation. A product with 0 and ±1 is exact.
  reference: ({ x, cos, sin }, { numHeads, rotaryDim, interleaved, inverse }) => {
    const [batch, length, width] = x.shape;
    const headSize = width / numHeads;
    const { turn, spread, still } = layout(headSize, rotaryDim, interleaved);
    const overHeads = (table: tf.Tensor3D, factor: number) => {
      const rows = tf.reshape(table, [-1, rotaryDim / 2]);
      const wide = tf.matMul(tf.mul(rows, factor), tf.tensor2d(spread, [rotaryDim / 2, headSize]));
      return { wide, shape: [table.shape[0], length, 1, headSize] };
    };
    const cosine = overHeads(cos, 1);
    const sine = overHeads(sin, inverse ? -1 : 1);
    const cosines = rotaryDim < headSize ? tf.add(cosine.wide, tf.tensor1d(still)) : cosine.wide;

    const heads = [batch, length, numHeads, headSize];
    const turned = tf.matMul(tf.reshape(x, [-1, headSize]), tf.tensor2d(turn, [headSize, headSize]));
    const rotated = tf.add(
      tf.mul(tf.reshape(x, heads), tf.reshape(cosines, cosine.shape)),
      tf.mul(tf.reshape(turned, heads), tf.reshape(sine.wide, sine.shape)),
    );
    return tf.reshape(rotated, x.shape);
  },
  inputsToSave: ['cos', 'sin'],
  backward: ({ dy, inputs: { cos, sin }, attrs }) => {
    const refuse = (): tf.Tensor => {
      throw new ConfigError({
        component: 'rope',
        expected: 'tables that nothing trained depends on',
        actual: 'a table that needs a gradient',
      });
    };
    return {
      x: () => rotate({ x: dy as tf.Tensor3D, cos, sin }, { ...attrs, inverse: !attrs.inverse }),
      cos: refuse,
      sin: refuse,
    };
  },
});

/**
 * Rotary position embedding (Su et al., arXiv:2104.09864): each pair of dimensions (a, b) of each head becomes
 * (a·cos − b·sin, b·cos + a·sin). The tables say everything about positions, so 2-D and multi-axis forms are other
 * tables; see `ropeTables`. The caller owns the result.
 *
 * @param x float32[B, T, numHeads · d]
 * @param cos float32[B or 1, T, rotaryDim / 2]
 * @param sin float32[B or 1, T, rotaryDim / 2]
 * @returns float32[B, T, numHeads · d]
 * @throws ShapeError if sizes do not fit.
 */
export function rope(
  x: tf.Tensor3D,
  cos: tf.Tensor3D,
  sin: tf.Tensor3D,
  { numHeads, rotaryDim, interleaved = false }: RopeOptions,
): tf.Tensor3D {
  const [batch, length, width] = x.shape;
  const headSize = width / numHeads;
  const turning = rotaryDim ?? headSize;
  const tableFits = ({ shape: [b, t, pairs] }: tf.Tensor3D) =>
    (b === batch || b === 1) && t === length && pairs * 2 === turning;
  if (!Number.isInteger(headSize) || turning > headSize || !tableFits(cos) || !tableFits(sin)) {
    throw new ShapeError({
      component: 'rope',
      expected: `tables of [${batch} or 1, ${length}, ${turning / 2}] for ${numHeads} heads in x ${shapeText(x.shape)}`,
      actual: `cos ${shapeText(cos.shape)}, sin ${shapeText(sin.shape)}`,
    });
  }
  return rotate({ x, cos, sin }, { numHeads, rotaryDim: turning, interleaved, inverse: false });
}

interface RotationLayout {
  /** [d, d]: takes (a, b) of each pair to (−b, a), and what does not turn to 0. */
  turn: Float32Array;
  /** [rotaryDim / 2, d]: puts the value of each pair at both its dimensions. */
  spread: Float32Array;
  /** [d]: 1 where nothing turns. */
  still: Float32Array;
}

const layouts = new Map<string, RotationLayout>();

function layout(headSize: number, rotaryDim: number, interleaved: boolean): RotationLayout {
  const key = `${headSize},${rotaryDim},${interleaved}`;
  const known = layouts.get(key);
  if (known) return known;
  const half = rotaryDim / 2;
  const turn = new Float32Array(headSize * headSize);
  const spread = new Float32Array(half * headSize);
  for (let pair = 0; pair < half; pair++) {
    const [a, b] = interleaved ? [2 * pair, 2 * pair + 1] : [pair, pair + half];
    turn[b * headSize + a] = -1;
    turn[a * headSize + b] = 1;
    spread[pair * headSize + a] = 1;
    spread[pair * headSize + b] = 1;
  }
  const still = new Float32Array(headSize).fill(1, rotaryDim);
  const made = { turn, spread, still };
  layouts.set(key, made);
  return made;
}
