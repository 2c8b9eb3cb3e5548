import { Module } from '@mmllm/core';
import { activate, Conv2d, GroupNorm } from '@mmllm/nn';
import type * as tf from '@tensorflow/tfjs-core';
import { Level, type MakeNorm, Middle, type PictureNorm } from './blocks';
import { enlarge, through } from './resample';

/** Number of groups of every published tokenizer, and what is added to the variance. */
export const NUM_GROUPS = 32;
export const GROUP_EPS = 1e-6;

export const groupNorm: MakeNorm = (channels) => new GroupNorm(channels, NUM_GROUPS, GROUP_EPS);

/** The convolutions of one picture, as in taming-transformers (Esser et al. 2021, arXiv:2012.09841). */
export interface StackConfig {
  /** Channels of the largest resolution, times the first multiplier. */
  readonly baseChannels: number;
  /** Channels of each resolution, the largest first; each next one halves the sides. */
  readonly channelMultipliers: readonly number[];
  /** Residual blocks of each resolution; the decoder has one more. */
  readonly numResBlocks: number;
  /** Which resolutions have attention behind every block; 0 is the largest. */
  readonly attentionLevels: readonly number[];
  readonly numHeads: number;
  /** Channels between encoder and decoder. */
  readonly latentSize: number;
}

const RGB = 3;

/** Channels of the resolution at which the two halves meet. */
export const innermost = ({ baseChannels, channelMultipliers }: StackConfig): number =>
  baseChannels * (channelMultipliers.at(-1) ?? 1);

const headsOf = ({ attentionLevels, numHeads }: StackConfig, level: number): number | undefined =>
  attentionLevels.includes(level) ? numHeads : undefined;

/** float32[B, H, W, 3] to float32[B, H / stride, W / stride, latentSize]. */
export class VqEncoder extends Module {
  readonly convIn: Conv2d;
  /** The largest resolution first. */
  readonly levels: readonly Level[];
  readonly middle: Middle;
  readonly normOut: PictureNorm;
  readonly convOut: Conv2d;

  constructor(config: StackConfig) {
    super();
    const { baseChannels, channelMultipliers, numResBlocks, latentSize, numHeads } = config;
    const channels = channelMultipliers.map((multiplier) => baseChannels * multiplier);
    const last = innermost(config);
    this.convIn = new Conv2d(RGB, baseChannels);
    this.levels = channels.map((outputSize, level) => {
      const inputSize = channels[level - 1] ?? baseChannels;
      const isLast = level === channels.length - 1;
      return new Level(
        { inputSize, outputSize, numBlocks: numResBlocks, numHeads: headsOf(config, level), norm: groupNorm },
        isLast ? undefined : new Conv2d(outputSize, outputSize, { stride: 2 }),
      );
    });
    this.middle = new Middle(last, numHeads, groupNorm);
    this.normOut = groupNorm(last);
    this.convOut = new Conv2d(last, latentSize);
  }

  forward(pixels: tf.Tensor4D): tf.Tensor4D {
    const levels = this.levels.flatMap((level) => {
      const { resample } = level;
      const step = (x: tf.Tensor4D) => level.forward(x);
      return resample ? [step, (x: tf.Tensor4D) => resample.forward(x)] : [step];
    });
    return through(pixels, [
      (x) => this.convIn.forward(x),
      ...levels,
      (x) => this.middle.forward(x),
      (x) => activate(this.normOut.forward(x), 'silu'),
      (x) => this.convOut.forward(x),
    ]);
  }
}

/** float32[B, rows, columns, latentSize] to float32[B, rows · stride, columns · stride, 3]. */
export class VqDecoder extends Module {
  readonly convIn: Conv2d;
  readonly middle: Middle;
  /** The smallest resolution first. */
  readonly levels: readonly Level[];
  readonly normOut: PictureNorm;
  readonly convOut: Conv2d;

  /** @param norm default `groupNorm` */
  constructor(config: StackConfig, norm: MakeNorm = groupNorm) {
    super();
    const { baseChannels, channelMultipliers, numResBlocks, latentSize, numHeads } = config;
    const channels = channelMultipliers.map((multiplier) => baseChannels * multiplier);
    const first = innermost(config);
    this.convIn = new Conv2d(latentSize, first);
    this.middle = new Middle(first, numHeads, norm);
    this.levels = channels
      .map((outputSize, level) => {
        const inputSize = channels[level + 1] ?? first;
        return new Level(
          { inputSize, outputSize, numBlocks: numResBlocks + 1, numHeads: headsOf(config, level), norm },
          level === 0 ? undefined : new Conv2d(outputSize, outputSize),
        );
      })
      .reverse();
    this.normOut = norm(channels[0] ?? baseChannels);
    this.convOut = new Conv2d(channels[0] ?? baseChannels, RGB);
  }

  /** @param codes float32[B, rows, columns, codeSize], for norms that depend on them */
  forward(latents: tf.Tensor4D, codes?: tf.Tensor4D): tf.Tensor4D {
    const levels = this.levels.flatMap((level) => {
      const { resample } = level;
      const step = (x: tf.Tensor4D) => level.forward(x, codes);
      return resample ? [step, (x: tf.Tensor4D) => resample.forward(enlarge(x, 2))] : [step];
    });
    return through(latents, [
      (x) => this.convIn.forward(x),
      (x) => this.middle.forward(x, codes),
      ...levels,
      (x) => activate(this.normOut.forward(x, codes), 'silu'),
      (x) => this.convOut.forward(x),
    ]);
  }
}
