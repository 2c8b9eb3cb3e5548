import {
  type ImageFeatures,
  type ImageTokens,
  normal,
  Parameter,
  type ProjectorSizes,
  ShapeError,
  type ViewTokens,
} from '@mmllm/core';
import { embedding, LayerNorm, type Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { called, checkFeatures } from '../shared/features';
import { widthChange } from '../shared/linear-layers';
import { overViews, repeated } from '../shared/runs';
import { SizedProjector } from '../shared/sized-projector';
import { PerceiverBlock } from './block';
import { frameOfTokens, type Medium, mediaOf, sizeOf } from './media';

export interface PerceiverResamplerOptions extends ProjectorSizes {
  readonly numLayers: number;
  readonly numHeads: number;
  readonly headSize: number;
  readonly numLatents: number;
  readonly mlpRatio: number;
  readonly maxMedia?: number;
  readonly maxFrames?: number;
}

/** The same number of tokens for every picture and video: learned latents that attend to it, layer by layer. */
export class PerceiverResampler extends SizedProjector {
  readonly name = 'perceiver-resampler';
  /** float32[numLatents, inputSize] */
  readonly latents: Parameter;
  /** float32[maxFrames, inputSize] */
  readonly frameEmbedding?: Parameter;
  /** float32[maxMedia, 1, inputSize] */
  readonly mediaEmbedding?: Parameter;
  readonly layers: readonly PerceiverBlock[];
  readonly norm: LayerNorm;
  /** Absent where encoder and decoder have one width. */
  readonly proj?: Linear;
  private readonly numLatents: number;

  constructor({ inputSize, outputSize, numLatents, numLayers, ...options }: PerceiverResamplerOptions) {
    super({ inputSize, outputSize });
    this.numLatents = numLatents;
    const table = (...sizes: number[]) => new Parameter([...sizes, inputSize], { initializer: normal(1) });
    this.latents = table(numLatents);
    if (options.maxFrames !== undefined) this.frameEmbedding = table(options.maxFrames);
    if (options.maxMedia !== undefined) this.mediaEmbedding = table(options.maxMedia, 1);
    const block = { width: inputSize, ...options };
    this.layers = Array.from({ length: numLayers }, () => new PerceiverBlock(block));
    this.norm = new LayerNorm(inputSize);
    this.proj = widthChange(inputSize, outputSize);
  }

  /** @throws ShapeError for more frames or media than there are embeddings for. */
  layout(images: readonly ImageTokens[]): ImageTokens[] {
    let start = 0;
    return this.media(images).map((media, i) => ({
      ...images[i],
      views: media.map(({ views: [view] }): ViewTokens => {
        start += this.numLatents;
        const role = view.role === 'frame' ? 'image' : view.role;
        return {
          ...view,
          role,
          start: start - this.numLatents,
          count: this.numLatents,
          prefix: 0,
          grid: undefined,
        };
      }),
    }));
  }

  /**
   * Rows that the mask leaves out are seen by no latent; all tokens of the result count.
   * @throws ShapeError as `layout`, and for features that do not fit.
   */
  project({ features, images, mask }: ImageFeatures): ImageFeatures {
    checkFeatures(this, { features, images, mask });
    const layout = this.layout(images);
    const media = this.media(images).flat();
    const projected = tf.tidy(() => {
      const latents = overViews(this.embed(features, media), asViews(media), (tokens, [{ start }]) => {
        const [number, count] = tokens.shape;
        return this.resample(tokens, mask?.subarray(start, start + number * count));
      });
      return this.proj?.forward(latents) ?? latents;
    });
    return { features: projected, images: layout };
  }

  private resample(tokens: tf.Tensor3D, seen: Uint8Array | undefined): tf.Tensor3D {
    const first = repeated(this.latents.value as tf.Tensor2D, tokens.shape[0]);
    return this.norm.forward(
      this.layers.reduce((latents, layer) => layer.forward(latents, tokens, seen), first),
    );
  }

  /** Adds what tells frames and media apart. */
  private embed(features: tf.Tensor2D, media: readonly Medium[]): tf.Tensor2D {
    const add = (x: tf.Tensor2D, table: Parameter | undefined, ids: (medium: Medium) => number[]) => {
      if (!table) return x;
      const rows = Int32Array.from(media.flatMap(ids));
      const values = tf.reshape(table.value, [-1, this.inputSize]);
      return tf.add<tf.Tensor2D>(x, embedding(values, rows, [rows.length]));
    };
    const framed = add(features, this.frameEmbedding, (medium) => frameOfTokens(this.name, medium));
    return add(framed, this.mediaEmbedding, (medium) => new Array(sizeOf(medium)).fill(medium.place));
  }

  private media(images: readonly ImageTokens[]): Medium[][] {
    const all = mediaOf(this.name, images);
    for (const { frames, place } of all.flat()) {
      this.checkLimit('frames', frames, this.frameEmbedding);
      this.checkLimit('media in a picture', place + 1, this.mediaEmbedding);
    }
    return all;
  }

  private checkLimit(what: string, count: number, table: Parameter | undefined): void {
    if (!table || count <= table.shape[0]) return;
    throw new ShapeError({
      component: called(this.name),
      expected: `at most ${table.shape[0]} ${what}`,
      actual: `${count}`,
    });
  }
}

/** Media as views of one picture, so that those with equally many tokens are computed together. */
function asViews(media: readonly Medium[]): ImageTokens[] {
  const views = media.map((medium): ViewTokens => {
    const [{ start, role }] = medium.views;
    return { role, start, count: sizeOf(medium), prefix: 0 };
  });
  return [{ views }];
}
