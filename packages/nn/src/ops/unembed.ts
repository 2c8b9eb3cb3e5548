import { type HeldWeight, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { heldLinear } from './held/linear';
import { matmul } from './matmul';
import { asRows } from './rows';

/**
 * `x · tableᵀ`: the products of each vector with all rows of a table, as in a decoder whose embedding is its head too
 * (Press & Wolf 2017, arXiv:1608.05859). The caller owns the result.
 *
 * @param x float32[…, D]
 * @param table float32[V, D], or a held table
 * @returns float32[…, V]
 * @throws ShapeError if the widths differ.
 */
export function unembed(x: tf.Tensor, table: tf.Tensor | HeldWeight): tf.Tensor {
  const [count, width] = table.shape as [number, number];
  if (x.rank === 0 || x.shape.at(-1) !== width || table.shape.length !== 2) {
    throw new ShapeError({
      component: 'unembed',
      expected: `x of [..., ${width}] for a table of [V, D]`,
      actual: `x ${shapeText(x.shape)}, table ${shapeText(table.shape)}`,
    });
  }
  if ('packed' in table) return heldLinear(x, table);
  return tf.tidy(() => {
    const products = matmul(asRows(x), table as tf.Tensor2D, { transposeB: true });
    return tf.reshape(products, [...x.shape.slice(0, -1), count]);
  });
}
