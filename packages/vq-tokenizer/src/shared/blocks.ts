import { Module, uniform } from '@mmllm/core';
import { Attention, activate, Conv2d } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { through } from './resample';

/** A norm of pictures. In Emu3's decoder it depends on the vectors of the codes, float32[B, rows, columns, codeSize]. */
export interface PictureNorm extends Module {
  /** float32[B, H, W, C] to the same shape. */
  forward(x: tf.Tensor4D, codes?: tf.Tensor4D): tf.Tensor4D;
}

export type MakeNorm = (channels: number) => PictureNorm;

/** `shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x))))))`, the shortcut a product where the channels change. */
export class ResidualBlock extends Module {
  readonly norm1: PictureNorm;
  readonly conv1: Conv2d;
  readonly norm2: PictureNorm;
  readonly conv2: Conv2d;
  readonly shortcut?: Conv2d;

  constructor(inputSize: number, outputSize: number, norm: MakeNorm) {
    super();
    this.norm1 = norm(inputSize);
    this.conv1 = new Conv2d(inputSize, outputSize);
    this.norm2 = norm(outputSize);
    this.conv2 = new Conv2d(outputSize, outputSize);
    if (inputSize !== outputSize) this.shortcut = new Conv2d(inputSize, outputSize, { kernelSize: 1 });
  }

  /** float32[B, H, W, inputSize] to float32[B, H, W, outputSize]. */
  forward(x: tf.Tensor4D, codes?: tf.Tensor4D): tf.Tensor4D {
    return tf.tidy(() => {
      const inner = through(x, [
        (y) => activate(this.norm1.forward(y, codes), 'silu'),
        (y) => this.conv1.forward(y),
        (y) => activate(this.norm2.forward(y, codes), 'silu'),
        (y) => this.conv2.forward(y),
      ]);
      return tf.add(this.shortcut ? this.shortcut.forward(x) : x, inner);
    });
  }
}

/** `x + attention(norm(x))` between all pixels. */
export class AttentionBlock extends Module {
  readonly norm: PictureNorm;
  readonly attention: Attention;

  /** @throws ConfigError for channels that the heads do not divide. */
  constructor(channels: number, numHeads: number, norm: MakeNorm) {
    super();
    this.norm = norm(channels);
    this.attention = new Attention({
      hiddenSize: channels,
      numHeads,
      initializer: uniform(1 / Math.sqrt(channels)),
    });
  }

  /** float32[B, H, W, channels] to the same shape. */
  forward(x: tf.Tensor4D, codes?: tf.Tensor4D): tf.Tensor4D {
    const [batch, height, width, channels] = x.shape;
    const pixels = (y: tf.Tensor4D) => tf.reshape<tf.Rank.R3>(y, [batch, height * width, channels]);
    return tf.tidy(() => {
      const normed = pixels(this.norm.forward(x, codes));
      const mixed = this.attention.forward(normed, { rule: { causal: false }, residual: pixels(x) });
      return tf.reshape(mixed, x.shape);
    });
  }
}

/** What stands between the two halves of a stack: attention between two residual blocks. */
export class Middle extends Module {
  readonly block1: ResidualBlock;
  readonly attention: AttentionBlock;
  readonly block2: ResidualBlock;

  constructor(channels: number, numHeads: number, norm: MakeNorm) {
    super();
    this.block1 = new ResidualBlock(channels, channels, norm);
    this.attention = new AttentionBlock(channels, numHeads, norm);
    this.block2 = new ResidualBlock(channels, channels, norm);
  }

  forward(x: tf.Tensor4D, codes?: tf.Tensor4D): tf.Tensor4D {
    return through(x, [
      (y) => this.block1.forward(y, codes),
      (y) => this.attention.forward(y, codes),
      (y) => this.block2.forward(y, codes),
    ]);
  }
}

export interface LevelOptions {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly numBlocks: number;
  /** Heads of the attention behind each block; none without it. */
  readonly numHeads?: number;
  readonly norm: MakeNorm;
}

/** The blocks of one resolution. */
export class Level extends Module {
  readonly blocks: readonly ResidualBlock[];
  readonly attentions: readonly AttentionBlock[];
  /** Leads to the next level; absent in the last. */
  readonly resample?: Conv2d;

  constructor({ inputSize, outputSize, numBlocks, numHeads, norm }: LevelOptions, resample?: Conv2d) {
    super();
    this.blocks = Array.from(
      { length: numBlocks },
      (_, i) => new ResidualBlock(i === 0 ? inputSize : outputSize, outputSize, norm),
    );
    this.attentions = numHeads ? this.blocks.map(() => new AttentionBlock(outputSize, numHeads, norm)) : [];
    this.resample = resample;
  }

  /** The blocks alone: float32[B, H, W, inputSize] to float32[B, H, W, outputSize]. */
  forward(x: tf.Tensor4D, codes?: tf.Tensor4D): tf.Tensor4D {
    const steps = this.blocks.flatMap((block, i) => {
      const attention = this.attentions[i];
      const step = (y: tf.Tensor4D) => block.forward(y, codes);
      return attention ? [step, (y: tf.Tensor4D) => attention.forward(y, codes)] : [step];
    });
    return through(x, steps);
  }
}
