import type { DenseImages, TokenIds } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { ClipModel, clip, clipText } from '../clip/index';
import { SiglipModel, siglip, siglipText } from '../siglip/index';

const tower = { imageSize: 8, patchSize: 4, hiddenSize: 6, numHeads: 2 };
const text = { vocabSize: 9, maxLength: 4, hiddenSize: 6, numLayers: 1, numHeads: 2 };

/** Both two-tower models, without weights; SigLIP's with interpolated positions. */
export const tinyModels = {
  clip: (numLayers: number) =>
    new ClipModel({ vision: clip({ ...tower, numLayers }), text: clipText(text), projectionSize: 4 }),
  siglip: (numLayers: number) =>
    new SiglipModel({
      vision: siglip({ ...tower, numLayers, imageSize: 12, inputSize: 8 }),
      text: siglipText(text),
    }),
};

/** Two texts of three and two tokens. */
export const tinyTexts: { ids: TokenIds; end: Int32Array } = {
  ids: { data: Int32Array.of(1, 2, 3, 4, 5, 0), shape: [2, 3] },
  end: Int32Array.of(3, 2),
};

/** Pictures float32[B, 8, 8, 3] as a batch. */
export function tinyBatch(pixels: tf.Tensor4D): DenseImages {
  const size = { height: 8, width: 8 };
  const image = { views: [{ role: 'image' as const, ...size }], original: size };
  return { kind: 'dense', images: new Array(pixels.shape[0]).fill(image), pixels };
}

/** A scalar that depends on both towers and on every logit. */
export function tinyLoss(
  model: ReturnType<(typeof tinyModels)['clip' | 'siglip']>,
  pixels: tf.Tensor4D,
): tf.Scalar {
  return tf.tidy(() => {
    const image = model.imageEmbeddings(tinyBatch(pixels));
    const logits = model.logits(image, model.textEmbeddings(tinyTexts.ids, tinyTexts.end));
    return tf.sum(
      tf.mul(logits, [
        [1, -2],
        [0.5, 1],
      ]),
    );
  });
}
