import { composeMaps, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { constant, type ImageBatch, Module, normal, Parameter, type TokenIds } from '@mmllm/core';
import { Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { type ContrastiveModel, pooledPictures, scaledProducts, unitLength } from '../shared/contrastive';
import { linearNames, textTowerNames, visionTowerNames } from '../shared/names';
import type { PooledImageEncoder } from '../shared/pooled-encoder';
import type { TextTower } from '../shared/text-transformer';
import type { ClipConfig } from './vision';

export interface ClipModelParts {
  /** Trained in place: its parameters are this model's `vision.*`. */
  vision: PooledImageEncoder;
  text: TextTower;
  /** Width of the common space. Default: that of the text tower. */
  projectionSize?: number;
}

/**
 * CLIP's two towers (Radford et al. 2021, arXiv:2103.00020): both projected without bias, compared by the cosine at a
 * learned scale, which starts at 1 / 0.07.
 */
export class ClipModel extends Module implements ContrastiveModel {
  readonly loss = 'softmax';
  readonly vision: PooledImageEncoder;
  readonly text: TextTower;
  readonly visualProjection: Linear;
  readonly textProjection: Linear;
  /** The logarithm of the scale, float32[]. */
  readonly logitScale: Parameter;

  constructor({ vision, text, projectionSize = text.pooledSize }: ClipModelParts) {
    super();
    this.vision = vision;
    this.text = text;
    this.visualProjection = projection(vision.pooledSize, projectionSize);
    this.textProjection = projection(text.pooledSize, projectionSize);
    this.logitScale = new Parameter([], { initializer: constant(Math.log(1 / 0.07)) });
  }

  imageEmbeddings(batch: ImageBatch): tf.Tensor2D {
    return tf.tidy(() => unitLength(this.visualProjection.forward(pooledPictures(this.vision, batch))));
  }

  textEmbeddings(ids: TokenIds, end?: Int32Array): tf.Tensor2D {
    return tf.tidy(() => unitLength(this.textProjection.forward(this.text.encode(ids, end))));
  }

  logits(image: tf.Tensor2D, text: tf.Tensor2D): tf.Tensor2D {
    return scaledProducts(image, text, this.logitScale.value);
  }
}

const projection = (from: number, to: number) =>
  new Linear(from, to, { bias: false, initializer: normal(from ** -0.5) });

/** The names of a `ClipModel` of `clip` and `clipText` in a Hugging Face file. */
export const clipModelNames = ({ patchSize }: Pick<ClipConfig, 'patchSize'>): NameMap =>
  composeMaps(
    prefixMap(visionTowerNames(patchSize), { ours: 'vision', theirs: 'vision_model' }),
    prefixMap(textTowerNames, { ours: 'text', theirs: 'text_model' }),
    {
      rules: [
        ...linearNames('visualProjection', 'visual_projection'),
        ...linearNames('textProjection', 'text_projection'),
        { ours: 'logitScale', theirs: 'logit_scale' },
      ],
    },
  );
