import type { DenseImages, ImageEncoder, Module, PreparedImage } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { aria } from '../aria/index';
import { mllama } from '../mllama/index';
import { molmo } from '../molmo/index';

const tower = { imageSize: 8, patchSize: 4, hiddenSize: 6, numLayers: 2, numHeads: 2, initializerRange: 0.3 };

/** Pictures of two views of 8 × 8 pixels each; the second view of the second only fills it up. */
const images: PreparedImage[] = [true, false].map((both) => ({
  views: [true, both].map((valid) => ({ role: 'tile' as const, height: 8, width: 8, valid })),
  original: { height: 8, width: both ? 16 : 8 },
  tiles: { rows: 1, columns: both ? 2 : 1 },
}));

/** What is picture of the four patches of each view. */
const coverage = Float32Array.of(1, 1, 1, 1, 1, 1, 0, 0, 1, 0.5, 1, 0.5, 1, 0, 1, 0);

/** The encoders of tiles, padded pictures and crops, tiny and with values. */
export const tiledEncoders = {
  mllama: () => withValues(mllama({ ...tower, maxTiles: 2, numGlobalLayers: 1, intermediateLayers: [0, 1] })),
  aria: () => withValues(aria({ ...tower, imageSize: 12, inputSize: 8, postNorm: false })),
  molmo: () => withValues(molmo({ ...tower, features: { layers: [-1, 1] } })),
};

function withValues<M extends Module & ImageEncoder>(encoder: M): M {
  encoder.initialize({ seed: 2 });
  for (const [path, parameter] of encoder.namedParameters()) {
    if (/gate$/i.test(path)) parameter.assign(Float32Array.of(0.7));
  }
  return encoder;
}

/** The caller owns its pixels. */
export function tiledBatch(): DenseImages {
  const pixels = tf.randomNormal<tf.Rank.R4>([4, 8, 8, 3], 0, 1, 'float32', 5);
  return { kind: 'dense', images, pixels, coverage };
}

/** A number for each row of features, float32[rows, 1], in which every value counts. */
export function rowSums(features: tf.Tensor2D): tf.Tensor2D {
  const weights = Float32Array.from({ length: features.shape[1] }, (_, i) => Math.cos(i));
  return tf.tidy(() => tf.matMul(features, tf.tensor2d(weights, [weights.length, 1])));
}
