import { composeMaps, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { constant, type ImageBatch, Module, Parameter, ShapeError, type TokenIds } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { type ContrastiveModel, pooledPictures, scaledProducts, unitLength } from '../shared/contrastive';
import { textTowerNames } from '../shared/names';
import type { PooledImageEncoder } from '../shared/pooled-encoder';
import type { TextTower } from '../shared/text-transformer';
import { type SiglipConfig, siglipVisionNames } from './vision';

export interface SiglipModelParts {
  /** Trained in place: its parameters are this model's `vision.*`. */
  vision: PooledImageEncoder;
  text: TextTower;
  /** First value of the bias: about the logarithm of the odds that a pair of a batch belongs together. Default −10. */
  initialBias?: number;
}

/**
 * SigLIP's two towers (Zhai et al. 2023, arXiv:2303.15343), compared by the cosine with a learned scale and bias,
 * which start at 10 and `initialBias`.
 */
export class SiglipModel extends Module implements ContrastiveModel {
  readonly loss = 'sigmoid';
  readonly vision: PooledImageEncoder;
  readonly text: TextTower;
  /** The logarithm of the scale, float32[1]. */
  readonly logitScale: Parameter;
  /** float32[1] */
  readonly logitBias: Parameter;

  /** @throws ShapeError if the towers differ in the width of what they give. */
  constructor({ vision, text, initialBias = -10 }: SiglipModelParts) {
    super();
    if (vision.pooledSize !== text.pooledSize) {
      throw new ShapeError({
        component: 'SiglipModel',
        expected: `a text tower of width ${vision.pooledSize}, the image tower's`,
        actual: String(text.pooledSize),
        hint: "Set the text tower's projectionSize.",
      });
    }
    this.vision = vision;
    this.text = text;
    this.logitScale = new Parameter([1], { initializer: constant(Math.log(10)) });
    this.logitBias = new Parameter([1], { initializer: constant(initialBias) });
  }

  imageEmbeddings(batch: ImageBatch): tf.Tensor2D {
    return tf.tidy(() => unitLength(pooledPictures(this.vision, batch)));
  }

  textEmbeddings(ids: TokenIds, end?: Int32Array): tf.Tensor2D {
    return tf.tidy(() => unitLength(this.text.encode(ids, end)));
  }

  logits(image: tf.Tensor2D, text: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => tf.add(scaledProducts(image, text, this.logitScale.value), this.logitBias.value));
  }
}

/** The names of a `SiglipModel` of `siglip` and `siglipText` in a Hugging Face file. */
export const siglipModelNames = (vision: SiglipConfig): NameMap =>
  composeMaps(
    prefixMap(siglipVisionNames(vision), { ours: 'vision', theirs: 'vision_model' }),
    prefixMap(textTowerNames, { ours: 'text', theirs: 'text_model' }),
    {
      rules: [
        { ours: 'logitScale', theirs: 'logit_scale' },
        { ours: 'logitBias', theirs: 'logit_bias' },
      ],
    },
  );
