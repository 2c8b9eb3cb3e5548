/** Layers in the operators of stock tfjs. `w` are weights by name. */
import * as tf from '@tensorflow/tfjs';

let product = (x, weight) => tf.matMul(x, weight);

/** From now on linear layers have gradients without transposed products. See `openTransposing`. */
export function transposeByHand() {
  product = (x, weight) => {
    const backward = (dy) => tf.matMul(dy, tf.transpose(weight));
    if (!(weight instanceof tf.Variable)) {
      return tf.customGrad((input) => ({ value: tf.matMul(input, weight), gradFunc: backward }))(x);
    }
    return tf.customGrad((input, variable, save) => {
      save([input]);
      const gradFunc = (dy, [saved]) => [backward(dy), tf.matMul(tf.transpose(saved), dy)];
      return { value: tf.matMul(input, variable), gradFunc };
    })(x, weight);
  };
}

/** The bias may be missing. */
export function linear(x, w, name) {
  const weight = w[`${name}.weight`];
  const bias = w[`${name}.bias`];
  const rows = product(tf.reshape(x, [-1, x.shape[x.rank - 1]]), weight);
  return tf.reshape(bias ? tf.add(rows, bias) : rows, [...x.shape.slice(0, -1), weight.shape[1]]);
}

export function layerNorm(x, w, name, eps) {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), eps));
  return tf.add(tf.mul(tf.mul(centred, scale), w[`${name}.weight`]), w[`${name}.bias`]);
}

export function rmsNorm(x, w, name, eps) {
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps));
  return tf.mul(tf.mul(x, scale), w[`${name}.weight`]);
}

export const quickGelu = (x) => tf.mul(x, tf.sigmoid(tf.mul(x, 1.702)));
export const gelu = (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
export const silu = (x) => tf.mul(x, tf.sigmoid(x));

/** [B, T, heads · d] to [B, heads, T, d]. */
export function splitHeads(x, heads) {
  const [batch, length] = x.shape;
  return tf.transpose(tf.reshape(x, [batch, length, heads, -1]), [0, 2, 1, 3]);
}

export function mergeHeads(x) {
  const [batch, , length] = x.shape;
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, length, -1]);
}

/** q, k, v [B, heads, T, d]; the mask is added to the scores. */
export function attend(q, k, v, mask) {
  const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(q.shape[3]));
  return tf.matMul(tf.softmax(mask ? tf.add(scores, mask) : scores), v);
}

/** [length, length]: a large negative number where a query may not look. */
export function causalMask(length) {
  const data = Float32Array.from({ length: length * length }, (_, i) =>
    i % length > Math.floor(i / length) ? -1e9 : 0,
  );
  return tf.tensor2d(data, [length, length]);
}

/** cos and sin [length, size] of rotary positions. */
export function rotaryTables(length, size, theta) {
  const angles = Float32Array.from({ length: length * size }, (_, i) => {
    const frequency = theta ** (-(2 * (i % (size / 2))) / size);
    return Math.floor(i / size) * frequency;
  });
  return {
    cos: tf.tensor2d(angles.map(Math.cos), [length, size]),
    sin: tf.tensor2d(angles.map(Math.sin), [length, size]),
  };
}

export function rotate(x, { cos, sin }) {
  const [first, second] = tf.split(x, 2, 3);
  return tf.add(tf.mul(x, cos), tf.mul(tf.concat([tf.neg(second), first], 3), sin));
}
