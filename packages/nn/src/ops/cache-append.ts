import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { defineOp } from './define-op';
import { checkUnpacked } from './quantize-rows';
import { refuseGradient } from './refuse-gradient';

interface CacheAppendInputs {
  cache: tf.Tensor3D;
  next: tf.Tensor3D;
}

const append = defineOp<CacheAppendInputs, { offset: number }, never, tf.Tensor3D>({
  name: 'mmllm/CacheAppend',
  reference: ({ cache, next }, { offset }) => {
    checkUnpacked('cacheAppend', cache);
    const [batch, rows, width] = cache.shape;
    const end = offset + next.shape[1];
    const before = tf.slice(cache, [0, 0, 0], [batch, offset, width]);
    const behind = tf.slice(cache, [0, end, 0], [batch, rows - end, width]);
    return tf.concat(
      [before, next, behind].filter(({ shape }) => shape[1] > 0),
      1,
    );
  },
  inputsToSave: [],
  backward: () => ({ cache: refuseGradient('cacheAppend'), next: refuseGradient('cacheAppend') }),
});

/**
 * Writes rows into a cache that was made with room for them. Where the backend can, as wasm and webgpu do, nothing is
 * copied: the result is the memory of `cache` itself, unless a clone or a tape holds it too. So after the call `cache`
 * is only good for being disposed of. The caller owns the result. It has no gradient.
 *
 * @param cache float32[B, C, D], or int32
 * @param next [B, T, D] of the same type
 * @param offset the first row to be written; offset + T is at most C.
 * @returns [B, C, D] of the same type
 * @throws ShapeError if sizes do not fit.
 */
export function cacheAppend(cache: tf.Tensor3D, next: tf.Tensor3D, offset: number): tf.Tensor3D {
  const [batch, rows, width] = cache.shape;
  const room = rows - next.shape[1];
  const isAlike = next.dtype === cache.dtype && next.shape[0] === batch && next.shape[2] === width;
  if (!isAlike || !(offset >= 0 && offset <= room)) {
    throw new ShapeError({
      component: 'cacheAppend',
      expected: `rows ${cache.dtype}[${batch}, T, ${width}] that fit into ${rows} behind ${offset}`,
      actual: `${next.dtype}${shapeText(next.shape)}`,
    });
  }
  return append({ cache, next }, { offset });
}
