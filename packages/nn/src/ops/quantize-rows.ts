import { BackendError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { defineOp } from './define-op';
import { refuseGradient } from './refuse-gradient';

/** Values that share a scale. */
const GROUP = 32;

const quantize = defineOp<{ x: tf.Tensor3D }, object, never, tf.Tensor3D>({
  name: 'mmllm/QuantizeRows',
  reference: ({ x }) => {
    const [batch, length, width] = x.shape;
    const groups = Math.ceil(width / GROUP);
    const whole = tf.pad(x, [
      [0, 0],
      [0, 0],
      [0, groups * GROUP - width],
    ]);
    const grouped = tf.reshape(whole, [batch, length, groups, GROUP]);
    const scales = tf.div(tf.max(tf.abs(grouped), -1, true), 127);
    const codes = tf.round(tf.divNoNan(grouped, scales));
    const values = tf.reshape(tf.mul(codes, scales), [batch, length, groups * GROUP]);
    return tf.slice(values, [0, 0, 0], x.shape) as tf.Tensor3D;
  },
  inputsToSave: [],
  backward: () => ({ x: refuseGradient('quantizeRows') }),
});

/**
 * Rounds rows to 8 bits, for a cache of keys or values: in groups of 32 values a code from −127 to 127 each, with one
 * float32 scale, as ggml's Q8_0 does. It has no gradient. The caller owns the result.
 *
 * Where the backend has a kernel for it, as wasm and webgpu do, the result is packed: int32[B, T, P] with
 * `P = packedWidth(D)`, for `cacheAppend` and `attention` of that backend. Elsewhere it is what the codes stand for,
 * float32[B, T, D].
 *
 * @param x float32[B, T, D]
 */
export function quantizeRows(x: tf.Tensor3D): tf.Tensor3D {
  return quantize({ x }, {});
}

/** @throws BackendError in references, for rows that another backend has packed: stock kernels may not keep their bits. */
export function checkUnpacked(component: string, rows: tf.Tensor): void {
  if (rows.dtype !== 'int32') return;
  throw new BackendError({
    component,
    expected: 'rows of a cache that were made on this backend, with all kernels for packed ones',
    actual: 'rows in the packing of another',
  });
}

/** Words of 32 bits in a packed row of D values: four codes each, then the scales. */
export const packedWidth = (width: number): number => Math.ceil(width / 4) + Math.ceil(width / GROUP);
