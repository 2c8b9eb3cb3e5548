import { Module, Parameter, uniform } from '@mmllm/core';
import { matmul } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';

/** Most distances that are held at a time, so that a large picture takes 16 MiB of them and not half a gigabyte. */
const MAX_DISTANCES = 2 ** 22;

/** A table of vectors; a code is the number of one (van den Oord et al. 2017, arXiv:1711.00937). */
export class Codebook extends Module {
  /** float32[codes, codeSize] */
  readonly weight: Parameter;

  constructor(size: number, codeSize: number) {
    super();
    this.weight = new Parameter([size, codeSize], { initializer: uniform(1 / size) });
  }

  /** The code with the least distance to each vector: float32[B, rows, columns, codeSize] to int32[B, rows, columns]. */
  nearest(latents: tf.Tensor4D): tf.Tensor3D {
    const [batch, rows, columns, codeSize] = latents.shape;
    return tf.tidy(() => {
      const table = this.weight.value as tf.Tensor2D;
      const vectors = tf.reshape(latents, [-1, codeSize]);
      const lengths = tf.reshape(tf.sum(tf.square(table), 1), [1, -1]);
      const step = Math.max(1, Math.floor(MAX_DISTANCES / table.shape[0]));
      const pieces: tf.Tensor1D[] = [];
      for (let start = 0; start < vectors.shape[0]; start += step) {
        const count = Math.min(step, vectors.shape[0] - start);
        pieces.push(
          tf.tidy(() => {
            const piece = tf.slice(vectors, [start, 0], [count, codeSize]);
            // |z − e|² without |z|², which all codes have in common.
            const products = matmul(piece, table, { transposeB: true });
            return tf.argMin<tf.Tensor1D>(tf.sub(lengths, tf.mul(products, 2)), 1);
          }),
        );
      }
      return tf.reshape(pieces.length === 1 ? pieces[0] : tf.concat(pieces), [batch, rows, columns]);
    });
  }

  /** Their vectors: int32[B, rows, columns] to float32[B, rows, columns, codeSize]. */
  vectors(codes: tf.Tensor3D): tf.Tensor4D {
    return tf.tidy(() => {
      const vectors = tf.gather(this.weight.value, tf.reshape(codes, [-1]));
      return tf.reshape(vectors, [...codes.shape, this.weight.shape[1]]);
    });
  }
}
