import * as tf from '@tensorflow/tfjs-core';

// Odd sizes meet the edges of tiled kernels, and more than a thousand elements are never handed to the processor.
const [ROWS, DEPTH, COLUMNS] = [37, 53, 41];
const TOLERANCE = 1e-4;

/**
 * Computes a product, an exponential and a sum on the current backend and compares them with numbers computed here.
 * Read back with `data()`: some backends have no other way, and a broken WebGPU yields zeros instead of an error.
 *
 * @throws {Error} saying which result is wrong, with both values.
 */
export async function checkCurrentBackend(): Promise<void> {
  const left = wave(ROWS * DEPTH, 0.7);
  const right = wave(DEPTH * COLUMNS, 1.3);
  const [scores, sums] = tf.tidy((): [tf.Tensor, tf.Tensor] => {
    const product = tf.matMul(tf.tensor2d(left, [ROWS, DEPTH]), tf.tensor2d(right, [DEPTH, COLUMNS]));
    const exponential = tf.exp(tf.mul(product, 0.5));
    return [exponential, tf.sum(exponential, 1)];
  });
  try {
    const expected = reference(left, right);
    compare('exp(matMul)', await scores.data<'float32'>(), expected.scores);
    compare('sum', await sums.data<'float32'>(), expected.sums);
  } finally {
    tf.dispose([scores, sums]);
  }
}

const wave = (size: number, frequency: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => 0.3 * Math.sin(frequency * i + 0.1));

function reference(left: Float32Array, right: Float32Array): { scores: number[]; sums: number[] } {
  const scores: number[] = [];
  const sums: number[] = [];
  for (let row = 0; row < ROWS; row++) {
    let sum = 0;
    for (let column = 0; column < COLUMNS; column++) {
      let dot = 0;
      for (let k = 0; k < DEPTH; k++) dot += left[row * DEPTH + k]! * right[k * COLUMNS + column]!;
      const score = Math.exp(0.5 * dot);
      scores.push(score);
      sum += score;
    }
    sums.push(sum);
  }
  return { scores, sums };
}

function compare(what: string, actual: Float32Array, expected: readonly number[]): void {
  for (const [i, value] of expected.entries()) {
    const came = actual[i] ?? Number.NaN;
    // Written so that NaN fails.
    if (!(Math.abs(came - value) <= TOLERANCE * Math.max(1, Math.abs(value)))) {
      throw new Error(`it computes wrongly: ${what} gives ${came} where ${value} is right`);
    }
  }
}
