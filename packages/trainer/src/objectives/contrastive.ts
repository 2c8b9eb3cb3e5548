import {
  disposeImages,
  type ImageBatch,
  type ImageEncoder,
  type ImageSource,
  type Module,
  type Processor,
  rowsOf,
  type TokenIds,
} from '@mmllm/core';
import { sigmoidPairLoss, softCrossEntropy } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { Objective, TrainingBatch } from '../objective';
import { check } from '../stage';

/** A picture and what it shows. */
export interface CaptionedPicture {
  readonly image: ImageSource;
  readonly caption: string;
}

/** Two towers into one space, such as `ClipModel` and `SiglipModel` of `@mmllm/vision-encoders`. */
export interface TwoTowers extends Module {
  /** Softmax over the batch, both ways (CLIP), or a sigmoid for each pair (SigLIP). */
  readonly loss: 'softmax' | 'sigmoid';
  readonly vision: Pick<ImageEncoder, 'layout'>;
  /** float32[B, D] of unit length. */
  imageEmbeddings(batch: ImageBatch): tf.Tensor2D;
  /** float32[B, D] of unit length; `end` is where the padding of each text begins, int32[B]. */
  textEmbeddings(ids: TokenIds, end?: Int32Array): tf.Tensor2D;
  /** float32[pictures, texts] */
  logits(image: tf.Tensor2D, text: tf.Tensor2D): tf.Tensor2D;
}

export interface ContrastiveOptions<S extends CaptionedPicture> {
  /**
   * Whether another sample's caption is also true of a sample's picture, so that the pair is not pushed apart.
   * Default: if the captions are equal.
   */
  readonly describes?: (sample: S, caption: string) => boolean;
}

/**
 * Pictures and their captions come together, others apart: the loss of CLIP (Radford et al. 2021, arXiv:2103.00020) or
 * of SigLIP (Zhai et al. 2023, arXiv:2303.15343), as the model says. A picture may belong to several captions of its
 * batch: for the softmax these share its target equally. Pairs of different micro-batches never meet, so that a step
 * of several is not the same as one large batch.
 *
 * @param model trained in place: an image tower that is a part of the trained model learns there. Its other
 * parameters are `objective.…` in policies; `disposeExcept(model, trainedModel)` frees just these.
 * @param processor for tokens and pictures, usually the model's.
 */
export function contrastive<S extends CaptionedPicture = CaptionedPicture>(
  model: TwoTowers,
  processor: Pick<Processor, 'tokenizer' | 'prepareImages'>,
  { describes = (sample, caption) => sample.caption === caption }: ContrastiveOptions<S> = {},
): Objective<S> {
  return {
    name: `contrastive-${model.loss}`,
    module: model,
    async prepare(samples, { packing, gradientCheckpointing, signal }) {
      check(
        'contrastive',
        !packing && !gradientCheckpointing,
        'neither packing nor gradientCheckpointing',
        packing ? 'packing' : 'gradientCheckpointing',
      );
      const captions = samples.map(({ caption }) => caption);
      const texts = padRight(captions.map((caption) => processor.tokenizer.encode(caption)));
      const sources = samples.map(({ image }) => image);
      const images = await processor.prepareImages(sources, signal);
      const pairs = samples.map((sample, i) =>
        captions.map((caption, j) => i === j || describes(sample, caption)),
      );
      return new PairBatch(model, images, texts, pairs);
    },
  };
}

interface PaddedTexts {
  readonly ids: TokenIds;
  /** int32[B] */
  readonly end: Int32Array;
}

/** The id of the padding does not matter: `end` says that nobody sees it. */
function padRight(texts: readonly Int32Array[]): PaddedTexts {
  const length = Math.max(...texts.map((text) => text.length));
  const data = new Int32Array(texts.length * length);
  for (const [b, text] of texts.entries()) data.set(text, b * length);
  return { ids: { data, shape: [texts.length, length] }, end: Int32Array.from(texts, (text) => text.length) };
}

class PairBatch implements TrainingBatch {
  readonly tokens: number;
  /** Pictures with their captions. */
  readonly weight: number;
  /** float32[pictures, texts]: ±1 for the sigmoid; for the softmax, one where a pair belongs together, else zero. */
  private readonly targets: tf.Tensor2D;

  constructor(
    private readonly model: TwoTowers,
    private readonly images: ImageBatch,
    private readonly texts: PaddedTexts,
    pairs: readonly (readonly boolean[])[],
  ) {
    const rows = model.vision.layout(images.images).reduce((sum, image) => sum + rowsOf(image).count, 0);
    this.tokens = texts.end.reduce((sum, end) => sum + end, rows);
    this.weight = pairs.length;
    const apart = model.loss === 'sigmoid' ? -1 : 0;
    this.targets = tf.tensor2d(
      pairs.map((row) => row.map((together) => (together ? 1 : apart))),
      undefined,
      'float32',
    );
  }

  loss(): tf.Scalar {
    return tf.tidy(() => this.lossOf(this.model.imageEmbeddings(this.images), this.textEmbeddings()));
  }

  trace(): [string, tf.Tensor][] {
    const image = this.model.imageEmbeddings(this.images);
    const text = this.textEmbeddings();
    return [
      ['the image tower', image],
      ['the text tower', text],
      ['the loss', this.lossOf(image, text)],
    ];
  }

  dispose(): void {
    disposeImages(this.images);
    this.targets.dispose();
  }

  private textEmbeddings(): tf.Tensor2D {
    return this.model.textEmbeddings(this.texts.ids, this.texts.end);
  }

  private lossOf(image: tf.Tensor2D, text: tf.Tensor2D): tf.Scalar {
    const logits = this.model.logits(image, text);
    if (this.model.loss === 'sigmoid') return sigmoidPairLoss(logits, this.targets);
    const ofPictures = softCrossEntropy(logits, shares(this.targets));
    const ofTexts = softCrossEntropy(tf.transpose(logits), shares(tf.transpose(this.targets)));
    return tf.mul(tf.add(ofPictures, ofTexts), 0.5);
  }
}

/** Rows divided by their sums. Every row has a pair, its own. */
const shares = (pairs: tf.Tensor2D): tf.Tensor2D => tf.div(pairs, tf.sum(pairs, 1, true));
