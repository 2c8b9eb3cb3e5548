import * as tf from '@tensorflow/tfjs-core';

export interface Grid {
  readonly rows: number;
  readonly columns: number;
}

/** Keys 1981, "Cubic convolution interpolation", with the a = −0.75 that PyTorch takes. */
function cubic(distance: number): number {
  const a = -0.75;
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/**
 * float32[to, from]: each row holds the weights of one new place. As PyTorch's `interpolate(mode='bicubic',
 * align_corners=False)`: half-pixel centres, borders repeated, no antialiasing.
 */
export function bicubicMatrix(from: number, to: number): tf.Tensor2D {
  const weights = new Float32Array(to * from);
  for (let place = 0; place < to; place++) {
    const centre = ((place + 0.5) * from) / to - 0.5;
    const first = Math.floor(centre) - 1;
    for (let tap = first; tap < first + 4; tap++) {
      const source = Math.min(Math.max(tap, 0), from - 1);
      weights[place * from + source] += cubic(centre - tap);
    }
  }
  return tf.tensor2d(weights, [to, from]);
}

/**
 * Resizes a table of learned positions, float32[prefix + rows · columns, D], to another grid. Rows of the prefix
 * (class token) are kept. Two plain products, so that it has a gradient on every backend. The caller owns the result.
 */
export function interpolatePositions(table: tf.Tensor2D, from: Grid, to: Grid, prefix = 0): tf.Tensor2D {
  return tf.tidy(() => {
    const size = table.shape[1];
    const grid = tf.slice(table, [prefix, 0], [-1, -1]);
    const tall = resizeFirstAxis(grid, [from.rows, from.columns * size], to.rows);
    const turned = swapFirstAxes(tall, [to.rows, from.columns, size]);
    const wide = resizeFirstAxis(turned, [from.columns, to.rows * size], to.columns);
    const resized = tf.reshape<tf.Rank.R2>(swapFirstAxes(wide, [to.columns, to.rows, size]), [-1, size]);
    return prefix ? tf.concat2d([tf.slice(table, [0, 0], [prefix, -1]), resized], 0) : resized;
  });
}

function resizeFirstAxis(x: tf.Tensor, shape: [number, number], to: number): tf.Tensor {
  return tf.matMul(bicubicMatrix(shape[0], to), tf.reshape(x, shape));
}

function swapFirstAxes(x: tf.Tensor, shape: [number, number, number]): tf.Tensor {
  return tf.transpose(tf.reshape(x, shape), [1, 0, 2]);
}
