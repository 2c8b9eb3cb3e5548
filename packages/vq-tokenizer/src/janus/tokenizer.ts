import { type FixedPreprocessing, Module, uniform, type VisionTokenizer } from '@mmllm/core';
import { Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { Codebook } from '../shared/codebook';
import { checkCodes, checkPixels, strideOf } from '../shared/config';
import { through } from '../shared/resample';
import { type StackConfig, VqDecoder, VqEncoder } from '../shared/stacks';

export interface JanusVqOptions extends StackConfig {
  readonly codebookSize: number;
  readonly codeSize: number;
  readonly imageSize: number;
}

/** What `F.normalize` of PyTorch takes for the least length. */
const LEAST_LENGTH = 1e-12;

const projection = (inputSize: number, outputSize: number) =>
  new Linear(inputSize, outputSize, { initializer: uniform(1 / Math.sqrt(inputSize)) });

/** Rows of the last axis at unit length. */
const unitLength = (x: tf.Tensor4D): tf.Tensor4D =>
  tf.div(x, tf.maximum(tf.sqrt(tf.sum(tf.square(x), 3, true)), LEAST_LENGTH));

/** See `janusVq`. */
export class JanusVq extends Module implements VisionTokenizer {
  readonly specVersion = 'vision-tokenizer/v1';
  readonly name = 'janus-vq';
  readonly codebookSize: number;
  readonly codeSize: number;
  readonly stride: number;
  readonly preprocessing: FixedPreprocessing;
  readonly encoder: VqEncoder;
  readonly quantProj: Linear;
  readonly codebook: Codebook;
  readonly postQuantProj: Linear;
  readonly decoder: VqDecoder;

  constructor(config: JanusVqOptions) {
    super();
    const { codebookSize, codeSize, latentSize, imageSize } = config;
    this.codebookSize = codebookSize;
    this.codeSize = codeSize;
    this.stride = strideOf(config);
    // The crop of LlamaGen's `center_crop_arr`.
    this.preprocessing = {
      kind: 'fixed',
      size: { height: imageSize, width: imageSize },
      fit: 'crop',
      resample: 'bicubic',
      rescale: 1 / 255,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    };
    this.encoder = new VqEncoder(config);
    this.quantProj = projection(latentSize, codeSize);
    this.codebook = new Codebook(codebookSize, codeSize);
    this.postQuantProj = projection(codeSize, latentSize);
    this.decoder = new VqDecoder(config);
  }

  /** What codes are found for: float32[B, H, W, 3] to float32[B, H / stride, W / stride, codeSize]. The caller owns it. */
  latents(pixels: tf.Tensor4D): tf.Tensor4D {
    checkPixels(this.name, pixels, this.stride);
    return tf.tidy(() => this.quantProj.forward(this.encoder.forward(pixels)));
  }

  encode(pixels: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => this.codebook.nearest(this.latents(pixels)));
  }

  decode(codes: tf.Tensor3D): tf.Tensor4D {
    checkCodes(this.name, codes);
    return tf.tidy(() =>
      through(unitLength(this.codebook.vectors(codes)), [
        (x) => this.postQuantProj.forward(x),
        (x) => this.decoder.forward(x),
      ]),
    );
  }
}
