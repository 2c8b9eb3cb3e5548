import { Module } from '@mmllm/core';
import { activate, adaptiveAveragePool, type GridSize, type Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { firstLinear } from '../shared/linear-layers';
import { DepthwiseNorm, PointwiseNorm } from './conv-norm';

/** Scales channels by what their means say (Hu et al. 2018, arXiv:1709.01507). */
class SqueezeExcite extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(width: number, squeezed: number) {
    super();
    this.fc1 = firstLinear(width, squeezed, true);
    this.fc2 = firstLinear(squeezed, width, true);
  }

  /** float32[B, rows · columns, D] to the same shape. */
  forward(x: tf.Tensor3D, grid: GridSize): tf.Tensor3D {
    const means = adaptiveAveragePool(x, grid, { rows: 1, columns: 1 });
    const squeezed = this.fc1.forward(means, { activation: 'silu' });
    return tf.mul(x, this.fc2.forward(squeezed, { activation: 'sigmoid' }));
  }
}

/**
 * The block of a RegNet with squeeze and excitation (Radosavovic et al. 2020, arXiv:2003.13678), as timm builds it: a group for
 * each channel, as many channels inside as come out, and a projected shortcut only where the width changes.
 */
export class Bottleneck extends Module {
  readonly conv1: PointwiseNorm;
  readonly conv2: DepthwiseNorm;
  readonly se: SqueezeExcite;
  readonly conv3: PointwiseNorm;
  readonly downsample?: PointwiseNorm;

  constructor(inputSize: number, outputSize: number) {
    super();
    this.conv1 = new PointwiseNorm(inputSize, outputSize, 'silu');
    this.conv2 = new DepthwiseNorm(outputSize, 'silu');
    this.se = new SqueezeExcite(outputSize, roundHalfToEven(inputSize / 4));
    this.conv3 = new PointwiseNorm(outputSize, outputSize);
    if (inputSize !== outputSize) this.downsample = new PointwiseNorm(inputSize, outputSize);
  }

  /** float32[B, rows · columns, inputSize] to float32[B, rows · columns, outputSize]. The caller owns the result. */
  forward(x: tf.Tensor3D, grid: GridSize): tf.Tensor3D {
    return tf.tidy(() => {
      const inner = this.conv2.forward(this.conv1.forward(x), grid);
      const scaled = this.conv3.forward(this.se.forward(inner, grid));
      return activate(tf.add(scaled, this.downsample?.forward(x) ?? x), 'silu');
    });
  }
}

/** As Python rounds: a squeeze of 10 channels has 2. */
function roundHalfToEven(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
