import type { WeightSource } from '@mmllm/checkpoints';
import * as tf from '@tensorflow/tfjs-core';

/** The matrices below one name in a file, for what a test computes in plain ops. Vectors are matrices of one row. */
export class FileTensors {
  readonly #tensors = new Map<string, tf.Tensor2D>();

  static async open(weights: WeightSource, prefix: string): Promise<FileTensors> {
    const opened = new FileTensors();
    for (const key of weights.keys()) {
      if (!key.startsWith(prefix)) continue;
      const shape = weights.shape(key);
      const [rows, columns] = shape.length === 2 ? shape : [1, shape[0]];
      opened.#tensors.set(key.slice(prefix.length), tf.tensor2d(await weights.read(key), [rows, columns]));
    }
    return opened;
  }

  get(name: string): tf.Tensor2D {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new Error(`no tensor ${name}`);
    return tensor;
  }

  /** `x · weightᵀ`, plus the bias where there is one. */
  linear(x: tf.Tensor2D, name: string): tf.Tensor2D {
    const y = tf.matMul(x, this.get(`${name}.weight`), false, true) as tf.Tensor2D;
    const bias = this.#tensors.get(`${name}.bias`);
    return bias ? tf.add(y, bias) : y;
  }

  norm(x: tf.Tensor2D, name: string, eps = 1e-5): tf.Tensor2D {
    const { mean, variance } = tf.moments(x, 1, true);
    const unit = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, eps)));
    return tf.add(tf.mul(unit, this.get(`${name}.weight`)), this.get(`${name}.bias`));
  }

  dispose(): void {
    tf.dispose([...this.#tensors.values()]);
  }
}

/** `softmax(q · kᵀ / √d) · v` of [N, heads · d] over the rows of k and v that are seen. */
export function plainAttention(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  numHeads: number,
  seen?: readonly number[],
): tf.Tensor2D {
  const split = (x: tf.Tensor2D) =>
    tf.transpose(tf.reshape(x, [x.shape[0], numHeads, x.shape[1] / numHeads]), [1, 0, 2]);
  const scores = tf.div(tf.matMul(split(q), split(k), false, true), Math.sqrt(q.shape[1] / numHeads));
  const hidden = Array.from({ length: k.shape[0] }, (_, i) => (seen && !seen[i] ? -1e9 : 0));
  const mixed = tf.matMul(tf.softmax(tf.add(scores, tf.tensor3d(hidden, [1, 1, hidden.length]))), split(v));
  return tf.reshape(tf.transpose(mixed, [1, 0, 2]), q.shape);
}
