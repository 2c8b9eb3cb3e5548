import { type Initializer, Module, Parameter, ShapeError, zeros } from '@mmllm/core';
import { linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { Grid } from './position-table';

export interface PatchEmbeddingOptions {
  /** Side of a patch in pixels. */
  patchSize: number;
  hiddenSize: number;
  bias: boolean;
  initializer: Initializer;
  /**
   * How it is computed; both give the same values and gradients from the same weight. `linear` (default) is a matrix
   * product on flattened patches and the faster one; `convolution` is the strided convolution of the papers.
   */
  form?: 'linear' | 'convolution';
}

/**
 * Pixels to one vector for each patch: a convolution whose stride is its kernel (Dosovitskiy et al. 2020,
 * arXiv:2010.11929). Pixels that fill no whole patch on the right and at the bottom are left out.
 */
export class PatchEmbedding extends Module {
  /** float32[patchSize · patchSize · 3, hiddenSize]; a patch is flattened (row, column, channel). */
  readonly weight: Parameter;
  readonly bias?: Parameter;
  private readonly patchSize: number;
  private readonly form: 'linear' | 'convolution';

  constructor({ patchSize, hiddenSize, bias, initializer, form = 'linear' }: PatchEmbeddingOptions) {
    super();
    this.patchSize = patchSize;
    this.form = form;
    this.weight = new Parameter([patchSize * patchSize * 3, hiddenSize], { initializer });
    if (bias) this.bias = new Parameter([hiddenSize], { initializer: zeros });
  }

  /**
   * float32[B, H, W, 3] to float32[B, N, hiddenSize], N = ⌊H / patchSize⌋ · ⌊W / patchSize⌋, row by row.
   * @throws ShapeError if the pixels have not three channels or hold no patch.
   */
  forward(pixels: tf.Tensor4D): tf.Tensor3D {
    const [batch, height, width, channels] = pixels.shape;
    if (channels !== 3 || Math.min(height, width) < this.patchSize) {
      throw new ShapeError({
        component: this.weight.path,
        expected: `float32[B, H, W, 3] of at least ${this.patchSize}×${this.patchSize} pixels`,
        actual: `[${pixels.shape.join(', ')}]`,
      });
    }
    return tf.tidy(() => {
      const rows = this.form === 'linear' ? this.product(pixels) : this.convolution(pixels);
      return tf.reshape(rows, [batch, -1, this.weight.shape[1]]);
    });
  }

  private product(pixels: tf.Tensor4D): tf.Tensor {
    return linear(patchify(pixels, this.patchSize), this.weight.value, { bias: this.bias?.value });
  }

  private convolution(pixels: tf.Tensor4D): tf.Tensor {
    const size = this.patchSize;
    const kernel = tf.reshape<tf.Rank.R4>(this.weight.value, [size, size, 3, this.weight.shape[1]]);
    const patches = tf.conv2d(pixels, kernel, size, 'valid');
    return this.bias ? tf.add(patches, this.bias.value) : patches;
  }
}

/**
 * Cuts float32[B, H, W, C] into float32[B · ⌊H / size⌋ · ⌊W / size⌋, size · size · C], patches row by row, each
 * flattened (row, column, channel). The caller owns the result.
 */
export function patchify(pixels: tf.Tensor4D, size: number): tf.Tensor2D {
  return tf.tidy(() => {
    const [batch, height, width, channels] = pixels.shape;
    const [rows, columns] = [Math.floor(height / size), Math.floor(width / size)];
    const whole = rows * size === height && columns * size === width;
    const used = whole ? pixels : tf.slice(pixels, [0, 0, 0, 0], [-1, rows * size, columns * size, -1]);
    const strips = tf.reshape(used, [batch * rows, size, columns, size * channels]);
    return tf.reshape(tf.transpose(strips, [0, 2, 1, 3]), [batch * rows * columns, size * size * channels]);
  });
}

/**
 * The inverse of `patchify`: float32[B, rows · columns, size · size · 3], patches row by row and each flattened (row,
 * column, channel), to float32[B, rows · size, columns · size, 3]. The caller owns the result.
 * @throws ShapeError if the patches do not fill the grid, or are not square.
 */
export function unpatchify(patches: tf.Tensor3D, { rows, columns }: Grid): tf.Tensor4D {
  const [batch, count, width] = patches.shape;
  const size = Math.sqrt(width / 3);
  if (count !== rows * columns || !Number.isInteger(size)) {
    throw new ShapeError({
      component: 'unpatchify',
      expected: `float32[B, ${rows * columns}, size · size · 3]`,
      actual: `[${patches.shape.join(', ')}]`,
    });
  }
  return tf.tidy(() => {
    const strips = tf.reshape(patches, [batch * rows, columns, size, size * 3]);
    return tf.reshape(tf.transpose(strips, [0, 2, 1, 3]), [batch, rows * size, columns * size, 3]);
  });
}
