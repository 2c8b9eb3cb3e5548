import { Module, Parameter, uniform, zeros } from '@mmllm/core';
import { conv2d } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';

export interface CausalConvOptions {
  /** Frames that one output sees, the last of which is the latest. Default 3. */
  readonly frames?: number;
  /** Side of the kernel in pixels. Default 3. */
  readonly side?: number;
  /** Frames from one output to the next. Default 1. */
  readonly stride?: number;
}

/** Empty frames that stand in front, whatever the kernel spans. */
const NUM_EMPTY = 2;

/**
 * A convolution over frames that sees none of the later ones, for stride 1. Computed as one over pictures whose channels
 * are those of all frames that it sees, since tfjs's own has no right gradient on some backends.
 */
export class CausalConv extends Module {
  /** float32[frames · side² · inputSize, outputSize], the kernel (frame, row, column, channel). */
  readonly weight: Parameter;
  readonly bias: Parameter;
  private readonly options: Required<CausalConvOptions>;

  constructor(
    inputSize: number,
    outputSize: number,
    { frames = 3, side = 3, stride = 1 }: CausalConvOptions = {},
  ) {
    super();
    const inputs = frames * side ** 2 * inputSize;
    this.options = { frames, side, stride };
    this.weight = new Parameter([inputs, outputSize], { initializer: uniform(1 / Math.sqrt(inputs)) });
    this.bias = new Parameter([outputSize], { initializer: zeros });
  }

  /** float32[B, T, H, W, inputSize] to float32[B, ⌊(T + 2 − frames) / stride⌋ + 1, H, W, outputSize]. */
  forward(x: tf.Tensor5D): tf.Tensor5D {
    const { frames, side, stride } = this.options;
    const [batch, length, height, width, channels] = x.shape;
    const outputSize = this.bias.size;
    const count = Math.floor((length + NUM_EMPTY - frames) / stride) + 1;
    return tf.tidy(() => {
      const empty = tf.zeros<tf.Rank.R4>([batch, height, width, channels]);
      const all = [empty, empty, ...(tf.unstack(x, 1) as tf.Tensor4D[])];
      const seen = Array.from({ length: count }, (_, t) =>
        tf.concat(all.slice(t * stride, t * stride + frames), 3),
      );
      const pictures = tf.reshape<tf.Rank.R4>(tf.stack(seen, 1), [
        batch * count,
        height,
        width,
        frames * channels,
      ]);
      const apart = tf.reshape(this.weight.value, [frames, side ** 2, channels, outputSize]);
      const kernel = tf.reshape<tf.Rank.R2>(
        tf.transpose(apart, [1, 0, 2, 3]),
        this.weight.value.shape as [number, number],
      );
      const sums = conv2d(pictures, kernel, { bias: this.bias.value });
      return tf.reshape<tf.Rank.R5>(sums, [batch, count, height, width, outputSize]);
    });
  }
}
