import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { defineOp } from './define-op';
import { checkUnpacked } from './quantize-rows';
import { refuseGradient } from './refuse-gradient';

/** Which rows of a cache to take, and for how many to make room. */
export interface CacheRows {
  /** Samples of the cache, in the order of the result. */
  readonly samples: readonly number[];
  /** The first row of each … */
  readonly from: number;
  /** … and how many. */
  readonly count: number;
  /** Rows of the result, at least `count`. Default `count`. */
  readonly rows?: number;
}

const take = defineOp<{ cache: tf.Tensor3D }, Required<CacheRows>, never, tf.Tensor3D>({
  name: 'mmllm/CacheRows',
  reference: ({ cache }, { samples, from, count, rows }) => {
    checkUnpacked('cacheRows', cache);
    const [batch, , width] = cache.shape;
    const taken = tf.gather(
      tf.slice(cache, [0, from, 0], [batch, count, width]),
      tf.tensor1d([...samples], 'int32'),
    );
    return tf.pad(taken, [
      [0, 0],
      [0, rows - count],
      [0, 0],
    ]);
  },
  inputsToSave: [],
  backward: () => ({ cache: refuseGradient('cacheRows') }),
});

/**
 * A copy of some rows of some samples of a cache, with room of any content behind them: for a cache that grows, and for
 * beams. The caller owns the result. It has no gradient.
 *
 * tfjs's own `gather`, `slice` and `pad` do for float32; on webgpu they read int32 as floats, and so spoil packed rows.
 *
 * @param cache float32[B, C, D], or int32
 * @returns [samples, rows, D] of the same type
 * @throws ShapeError for samples or rows that the cache has not.
 */
export function cacheRows(
  cache: tf.Tensor3D,
  { samples, from, count, rows = count }: CacheRows,
): tf.Tensor3D {
  const [batch, length] = cache.shape;
  const isIndex = (n: number, end: number) => Number.isInteger(n) && n >= 0 && n < end;
  const fits = isIndex(from, length + 1) && isIndex(count, length - from + 1) && isIndex(count, rows + 1);
  if (!fits || !samples.every((sample) => isIndex(sample, batch))) {
    throw new ShapeError({
      component: 'cacheRows',
      expected: `samples and rows of ${shapeText(cache.shape)}`,
      actual: `samples ${samples.join(', ')}, ${count} rows from ${from} on, into ${rows}`,
    });
  }
  return take({ cache }, { samples, from, count, rows });
}
