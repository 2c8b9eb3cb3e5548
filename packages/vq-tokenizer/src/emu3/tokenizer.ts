import { Module, type PackedPreprocessing, type VisionTokenizer } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { Codebook } from '../shared/codebook';
import { checkCodes, checkPixels, strideOf } from '../shared/config';
import { through } from '../shared/resample';
import { type StackConfig, VqDecoder, VqEncoder } from '../shared/stacks';
import { CausalConv } from './causal-conv';
import { SpatialNorm } from './spatial-norm';
import { TemporalDecoder, TemporalEncoder } from './temporal';

export interface Emu3VqOptions extends StackConfig {
  readonly codebookSize: number;
  readonly framesPerCode: number;
}

/** Pictures that the published processor makes, in pixels. */
const [MIN_PIXELS, MAX_PIXELS] = [512 * 512, 1024 * 1024];

/** Of a picture among frames: float32[B, H, W, C] to float32[B, frames, H, W, C], the same in each. */
const asFrames = (x: tf.Tensor4D, frames: number): tf.Tensor5D =>
  tf.stack(Array<tf.Tensor4D>(frames).fill(x), 1) as tf.Tensor5D;

const firstFrame = (x: tf.Tensor5D): tf.Tensor4D => {
  const [batch, frames, height, width, channels] = x.shape;
  const first = frames === 1 ? x : tf.slice(x, [0, 0, 0, 0, 0], [batch, 1, height, width, channels]);
  return tf.reshape(first, [batch, height, width, channels]);
};

/** See `emu3Vq`. */
export class Emu3Vq extends Module implements VisionTokenizer {
  readonly specVersion = 'vision-tokenizer/v1';
  readonly name = 'emu3-vq';
  readonly codebookSize: number;
  readonly codeSize: number;
  readonly stride: number;
  readonly preprocessing: PackedPreprocessing;
  readonly encoder: VqEncoder;
  readonly temporalEncoder: TemporalEncoder;
  readonly quantConv: CausalConv;
  readonly codebook: Codebook;
  readonly postQuantConv: CausalConv;
  readonly temporalDecoder: TemporalDecoder;
  readonly decoder: VqDecoder;
  private readonly framesPerCode: number;

  constructor(config: Emu3VqOptions) {
    super();
    const { codebookSize, latentSize: channels, numResBlocks, framesPerCode } = config;
    const stack = { channels, numBlocks: numResBlocks, numHalvings: Math.log2(framesPerCode) };
    this.framesPerCode = framesPerCode;
    this.codebookSize = codebookSize;
    this.codeSize = channels;
    this.stride = strideOf(config);
    this.preprocessing = {
      kind: 'packed',
      patchSize: this.stride,
      multiple: this.stride,
      size: { rule: 'pixels', min: MIN_PIXELS, max: MAX_PIXELS },
      resample: 'bicubic',
      rescale: 1 / 255,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    };
    this.encoder = new VqEncoder(config);
    this.temporalEncoder = new TemporalEncoder(stack);
    this.quantConv = new CausalConv(channels, channels, { side: 1 });
    this.codebook = new Codebook(codebookSize, channels);
    this.postQuantConv = new CausalConv(channels, channels, { side: 1 });
    this.temporalDecoder = new TemporalDecoder(stack);
    this.decoder = new VqDecoder(config, (width) => new SpatialNorm(width, channels));
  }

  /** What codes are found for: float32[B, H, W, 3] to float32[B, H / stride, W / stride, codeSize]. The caller owns it. */
  latents(pixels: tf.Tensor4D): tf.Tensor4D {
    checkPixels(this.name, pixels, this.stride);
    return tf.tidy(() => {
      // Frames alike are alike until they meet.
      const frames = asFrames(this.encoder.forward(pixels), this.framesPerCode);
      return firstFrame(
        through(frames, [(x) => this.temporalEncoder.forward(x), (x) => this.quantConv.forward(x)]),
      );
    });
  }

  encode(pixels: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => this.codebook.nearest(this.latents(pixels)));
  }

  decode(codes: tf.Tensor3D): tf.Tensor4D {
    checkCodes(this.name, codes);
    return tf.tidy(() => {
      const vectors = asFrames(this.codebook.vectors(codes), 1);
      // The vectors that the norms see go the same way, without the convolution in front.
      const [latents, conditions] = [this.postQuantConv.forward(vectors), vectors].map((x) =>
        firstFrame(this.temporalDecoder.forward(x)),
      );
      return this.decoder.forward(latents, conditions);
    });
  }
}
