import { type ImageBatch, type Module, ShapeError, type TokenIds } from '@mmllm/core';
import { matmul } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { PooledImageEncoder } from './pooled-encoder';

/** Two towers that map pictures and texts into one space. */
export interface ContrastiveModel extends Module {
  /** The loss that it is made for: softmax over the batch (CLIP), or a sigmoid for each pair (SigLIP). */
  readonly loss: 'softmax' | 'sigmoid';
  /** float32[B, D] of unit length, one for each picture. The caller owns it. */
  imageEmbeddings(batch: ImageBatch): tf.Tensor2D;
  /** float32[B, D] of unit length; `end` as in `TextTower.encode`. The caller owns it. */
  textEmbeddings(ids: TokenIds, end?: Int32Array): tf.Tensor2D;
  /** float32[images, texts] of embeddings, with the learned scale (and bias). The caller owns it. */
  logits(image: tf.Tensor2D, text: tf.Tensor2D): tf.Tensor2D;
}

/** Rows of float32[B, D] at unit length. */
export function unitLength(x: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => tf.mul(x, tf.rsqrt(tf.sum(tf.square(x), 1, true))));
}

/** `exp(logScale) · image · textᵀ`, float32[images, texts]. */
export function scaledProducts(image: tf.Tensor2D, text: tf.Tensor2D, logScale: tf.Tensor): tf.Tensor2D {
  return tf.tidy(() => tf.mul(matmul(image, text, { transposeB: true }), tf.exp(logScale)));
}

/**
 * One pooled vector for each picture.
 * @throws ShapeError if a picture has several views.
 */
export function pooledPictures(vision: PooledImageEncoder, batch: ImageBatch): tf.Tensor2D {
  const views = Math.max(...batch.images.map((image) => image.views.length));
  if (views === 1) return vision.pooled(batch);
  throw new ShapeError({
    component: `contrastive model with encoder '${vision.name}'`,
    expected: 'one view for each picture',
    actual: `${views} views`,
    hint: 'Train the encoder without tiling.',
  });
}
