import { type AttentionRule, ConfigError, type Initializer, Module } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { attention, rope } from '../ops';
import { forwardEach, Linear } from './linear';
import type { Norm } from './norm';

/** Keys and values of one layer: float32[B, C, numKeyValueHeads · headSize] each. */
export interface KeyValues {
  readonly k: tf.Tensor3D;
  readonly v: tf.Tensor3D;
  /** How many rows count, the first ones. Default all. */
  readonly numKeys?: number;
}

/** Keys and values of the tokens seen before, for one layer. */
export interface LayerCache {
  /** Adds new ones and returns all, the new ones last. The cache owns the result, which is good until the next call. */
  append(next: KeyValues): KeyValues;
}

/** Rotations of queries and keys: float32[B or 1, T, rotated / 2] each. The rest of a head, behind, is left as it is. */
export interface Rotary {
  readonly cos: tf.Tensor3D;
  readonly sin: tf.Tensor3D;
  /** Neighbouring values form a pair, instead of the two halves. Default false. */
  readonly interleaved?: boolean;
}

export interface AttentionOptions {
  hiddenSize: number;
  numHeads: number;
  /** Grouped-query attention: fewer heads for keys and values. Default numHeads. */
  numKeyValueHeads?: number;
  /** Default hiddenSize / numHeads. */
  headSize?: number;
  /** Width of what keys and values are made from, where it differs (cross-attention). Default hiddenSize. */
  sourceSize?: number;
  /** Width of the result, for attention outside of a block. Default hiddenSize. */
  outputSize?: number;
  /** Biases of query, key and value; and of the output. Default true both. */
  qkvBias?: boolean;
  outBias?: boolean;
  /** A norm over each head of queries and keys … */
  headNorm?: (headSize: number) => Norm;
  /** … or over all their channels, before they become heads (InternViT). */
  channelNorm?: (channels: number) => Norm;
  initializer?: Initializer;
}

export interface AttendOptions {
  rule: AttentionRule;
  rotary?: Rotary;
  cache?: LayerCache;
  /** Of the result's shape, added last. */
  residual?: tf.Tensor3D;
}

/** Multi-head attention, `softmax(q · kᵀ / √headSize) · v` (Vaswani et al. 2017, arXiv:1706.03762). */
export class Attention extends Module {
  readonly qProj: Linear;
  readonly kProj: Linear;
  readonly vProj: Linear;
  readonly outProj: Linear;
  readonly qNorm?: Norm;
  readonly kNorm?: Norm;
  private readonly normsHeads: boolean;
  private readonly heads: { numHeads: number; numKeyValueHeads: number; headSize: number };

  /** @throws ConfigError if the heads do not divide. */
  constructor({
    hiddenSize,
    numHeads,
    numKeyValueHeads = numHeads,
    headSize = hiddenSize / numHeads,
    sourceSize = hiddenSize,
    outputSize = hiddenSize,
    qkvBias = true,
    outBias = true,
    headNorm,
    channelNorm,
    initializer,
  }: AttentionOptions) {
    super();
    if (!Number.isInteger(headSize) || numHeads % numKeyValueHeads !== 0) {
      throw new ConfigError({
        component: 'attention',
        expected: 'a hidden size divisible by numHeads, and numHeads divisible by numKeyValueHeads',
        actual: `hiddenSize ${hiddenSize}, numHeads ${numHeads}, numKeyValueHeads ${numKeyValueHeads}`,
      });
    }
    this.heads = { numHeads, numKeyValueHeads, headSize };
    this.qProj = new Linear(hiddenSize, numHeads * headSize, { bias: qkvBias, initializer });
    this.kProj = new Linear(sourceSize, numKeyValueHeads * headSize, { bias: qkvBias, initializer });
    this.vProj = new Linear(sourceSize, numKeyValueHeads * headSize, { bias: qkvBias, initializer });
    this.outProj = new Linear(numHeads * headSize, outputSize, { bias: outBias, initializer });
    this.qNorm = headNorm?.(headSize) ?? channelNorm?.(numHeads * headSize);
    this.kNorm = headNorm?.(headSize) ?? channelNorm?.(numKeyValueHeads * headSize);
    this.normsHeads = headNorm !== undefined;
  }

  /** Self-attention: float32[B, T, hiddenSize] to the same shape. */
  forward(x: tf.Tensor3D, { cache, ...options }: AttendOptions): tf.Tensor3D {
    const [q, k, v] = forwardEach([this.qProj, this.kProj, this.vProj], x);
    const made = { k: this.keys(k!, options.rotary), v: v! };
    return this.mix(q!, cache ? cache.append(made) : made, options);
  }

  /** Keys and values of float32[B, S, sourceSize]. */
  keyValues(source: tf.Tensor3D, rotary?: Rotary): KeyValues {
    const [k, v] = forwardEach([this.kProj, this.vProj], source);
    return { k: this.keys(k!, rotary), v: v! };
  }

  /** Attention of float32[B, T, hiddenSize] over given keys and values. */
  attend(x: tf.Tensor3D, keyValues: KeyValues, options: Omit<AttendOptions, 'cache'>): tf.Tensor3D {
    return this.mix(this.qProj.forward(x), keyValues, options);
  }

  private keys(projected: tf.Tensor3D, rotary: Rotary | undefined): tf.Tensor3D {
    return rotate(this.normed(projected, this.kNorm), rotary, this.heads.numKeyValueHeads);
  }

  private mix(
    projected: tf.Tensor3D,
    { k, v, numKeys }: KeyValues,
    { rule, rotary, residual }: Omit<AttendOptions, 'cache'>,
  ): tf.Tensor3D {
    const { numHeads, numKeyValueHeads } = this.heads;
    const q = rotate(this.normed(projected, this.qNorm), rotary, numHeads);
    const mixed = attention(q, k, v, rule, { numHeads, numKeyValueHeads, numKeys });
    return this.outProj.forward(mixed, { residual });
  }

  private normed(x: tf.Tensor3D, norm: Norm | undefined): tf.Tensor3D {
    if (!norm) return x;
    if (!this.normsHeads) return norm.forward(x);
    return tf.reshape(norm.forward(tf.reshape(x, [-1, this.heads.headSize])), x.shape);
  }
}

function rotate(x: tf.Tensor3D, rotary: Rotary | undefined, numHeads: number): tf.Tensor3D {
  if (!rotary) return x;
  const { cos, sin, interleaved } = rotary;
  return rope(x, cos, sin, { numHeads, rotaryDim: 2 * cos.shape[2], interleaved });
}
