import { Module, ones, Parameter, zeros } from '@mmllm/core';
import { activate } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { through } from '../shared/resample';
import { CausalConv } from './causal-conv';

/** What PyTorch's `BatchNorm3d` adds to the variance. */
const EPS = 1e-5;

/**
 * Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) by its running statistics, as after training:
 * `(x − runningMean) / √(runningVariance + eps) · weight + bias`.
 */
export class BatchNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly runningMean: Parameter;
  readonly runningVariance: Parameter;

  constructor(channels: number) {
    super();
    this.weight = new Parameter([channels], { initializer: ones });
    this.bias = new Parameter([channels], { initializer: zeros });
    this.runningMean = new Parameter([channels], { initializer: zeros, trainable: false });
    this.runningVariance = new Parameter([channels], { initializer: ones, trainable: false });
  }

  /** float32[…, channels] to the same shape. */
  forward<T extends tf.Tensor>(x: T): T {
    return tf.tidy(() => {
      // As rows: tfjs has no broadcast of five axes on webgpu.
      const centred = tf.sub(tf.reshape(x, [-1, this.weight.size]), this.runningMean.value);
      const scale = tf.mul(tf.rsqrt(tf.add(this.runningVariance.value, EPS)), this.weight.value);
      return tf.reshape(tf.add(tf.mul(centred, scale), this.bias.value), x.shape) as T;
    });
  }
}

/** `x + conv2(silu(norm2(conv1(silu(norm1(x))))))` over frames. */
export class TemporalBlock extends Module {
  readonly norm1: BatchNorm;
  readonly conv1: CausalConv;
  readonly norm2: BatchNorm;
  readonly conv2: CausalConv;

  constructor(channels: number) {
    super();
    this.norm1 = new BatchNorm(channels);
    this.conv1 = new CausalConv(channels, channels);
    this.norm2 = new BatchNorm(channels);
    this.conv2 = new CausalConv(channels, channels);
  }

  /** float32[B, T, H, W, channels] to the same shape. */
  forward(x: tf.Tensor5D): tf.Tensor5D {
    return tf.tidy(() => {
      const inner = through(x, [
        (y) => activate(this.norm1.forward(y), 'silu'),
        (y) => this.conv1.forward(y),
        (y) => activate(this.norm2.forward(y), 'silu'),
        (y) => this.conv2.forward(y),
      ]);
      return tf.add(x, inner);
    });
  }
}

export interface TemporalStackOptions {
  readonly channels: number;
  readonly numBlocks: number;
  /** How often the frames are halved, or doubled. */
  readonly numHalvings: number;
}

/** Halves the frames some times, then residual blocks. */
export class TemporalEncoder extends Module {
  readonly convs: readonly CausalConv[];
  readonly blocks: readonly TemporalBlock[];

  constructor({ channels, numBlocks, numHalvings }: TemporalStackOptions) {
    super();
    this.convs = Array.from(
      { length: numHalvings },
      () => new CausalConv(channels, channels, { frames: 4, stride: 2 }),
    );
    this.blocks = Array.from({ length: numBlocks }, () => new TemporalBlock(channels));
  }

  /** float32[B, T, H, W, channels] to float32[B, T / 2^numHalvings, H, W, channels]. */
  forward(x: tf.Tensor5D): tf.Tensor5D {
    return through(x, [
      ...this.convs.map((conv) => (y: tf.Tensor5D) => activate(conv.forward(y), 'silu')),
      ...this.blocks.map((block) => (y: tf.Tensor5D) => block.forward(y)),
    ]);
  }
}

/**
 * Residual blocks, and then as many convolutions as the encoder halves the frames; each is behind a doubling of frames,
 * which a picture does not need: it is the first frame, and that sees no other.
 */
export class TemporalDecoder extends Module {
  readonly blocks: readonly TemporalBlock[];
  readonly convs: readonly CausalConv[];

  constructor({ channels, numBlocks, numHalvings }: TemporalStackOptions) {
    super();
    this.blocks = Array.from({ length: numBlocks }, () => new TemporalBlock(channels));
    this.convs = Array.from({ length: numHalvings }, () => new CausalConv(channels, channels));
  }

  /** The first frame: float32[B, 1, H, W, channels] to the same shape. */
  forward(x: tf.Tensor5D): tf.Tensor5D {
    return through(x, [
      ...this.blocks.map((block) => (y: tf.Tensor5D) => block.forward(y)),
      ...this.convs.map((conv) => (y: tf.Tensor5D) => activate(conv.forward(y), 'silu')),
    ]);
  }
}
