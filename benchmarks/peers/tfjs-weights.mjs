import * as tf from '@tensorflow/tfjs';

/**
 * Tensors by their Hugging Face name. Linear layers are turned to [in, out], and patch embeddings to [patch, out],
 * which the fast product of the wasm backend needs.
 *
 * @param make what a tensor becomes, a variable for one.
 */
export function loadWeights(file, make = (tensor) => tensor) {
  const weights = Object.entries(file).map(([name, { shape, data }]) => {
    const tensor = tf.tidy(() => {
      const stored = tf.tensor(data, shape);
      if (shape.length === 4) return tf.transpose(tf.reshape(stored, [shape[0], -1]));
      return shape.length === 2 && !name.includes('embed') ? tf.transpose(stored) : stored;
    });
    return [name, make(tensor, name)];
  });
  return Object.fromEntries(weights);
}

/** The weights below a prefix, by the rest of their names. */
export function under(weights, prefix) {
  const found = Object.entries(weights).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(found.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
