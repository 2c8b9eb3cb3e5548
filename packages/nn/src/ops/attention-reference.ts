import type { AttentionRule } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { type AttentionMask, attentionMask } from './attention-mask';
import { matmul } from './matmul';

export interface AttentionInputs {
  /** float32[B, T, numHeads · d] */
  q: tf.Tensor3D;
  /** float32[B, C, numKeyValueHeads · d], of which the first S rows count. */
  k: tf.Tensor3D;
  /** float32[B, C, numKeyValueHeads · d] */
  v: tf.Tensor3D;
}

export interface AttentionAttrs {
  rule: AttentionRule;
  numHeads: number;
  numKeyValueHeads: number;
  /** S */
  numKeys: number;
  scale: number;
}

/**
 * The heads that read one key head stand below each other as rows of one matrix, so keys and values are never
 * repeated: queries are [B · Hkv, (H / Hkv) · T, d] beside keys [B · Hkv, S, d].
 */
class HeadLayout {
  readonly mask: AttentionMask | undefined;
  readonly #batch: number;
  readonly #numQueries: number;
  readonly #numKeys: number;

  constructor(
    { q }: AttentionInputs,
    readonly attrs: AttentionAttrs,
  ) {
    this.#batch = q.shape[0];
    this.#numQueries = q.shape[1];
    this.#numKeys = attrs.numKeys;
    this.mask = attentionMask(attrs.rule, {
      batch: this.#batch,
      numQueries: this.#numQueries,
      numKeys: this.#numKeys,
    });
  }

  /** [B, N, heads · d] to [B · Hkv, (heads / Hkv) · N, d], for queries and keys alike. */
  split(x: tf.Tensor, heads: number): tf.Tensor3D {
    const [batch, length, width] = x.shape as [number, number, number];
    const headSize = width / heads;
    const groups = this.attrs.numKeyValueHeads;
    const apart = swapMiddle(tf.reshape(x, [batch, length, heads, headSize]));
    return tf.reshape(apart, [batch * groups, (heads / groups) * length, headSize]);
  }

  /** `split` of the keys or values that count. */
  splitKeys(x: tf.Tensor3D): tf.Tensor3D {
    const counting =
      x.shape[1] === this.#numKeys ? x : tf.slice(x, [0, 0, 0], [x.shape[0], this.#numKeys, x.shape[2]]);
    return this.split(counting, this.attrs.numKeyValueHeads);
  }

  /** The inverse of `split`. */
  merge(x: tf.Tensor, heads: number, length: number): tf.Tensor3D {
    const headSize = x.shape.at(-1)!;
    const together = swapMiddle(tf.reshape(x, [this.#batch, heads, length, headSize]));
    return tf.reshape(together, [this.#batch, length, heads * headSize]);
  }

  /** Scores with the mask in them, [B, H, T, S], from scaled queries. */
  scores(queries: tf.Tensor3D, keys: tf.Tensor3D): tf.Tensor4D {
    const { numHeads } = this.attrs;
    const product = matmul(queries, keys, { transposeB: true });
    const scores = tf.reshape<tf.Rank.R4>(product, [this.#batch, numHeads, this.#numQueries, this.#numKeys]);
    return this.mask ? tf.add(scores, tf.tensor4d(this.mask.additive, this.mask.shape)) : scores;
  }

  /** [B, H, T, S] as the left side of a product with values. */
  asProduct(weights: tf.Tensor): tf.Tensor3D {
    const { numHeads, numKeyValueHeads } = this.attrs;
    return tf.reshape(weights, [
      this.#batch * numKeyValueHeads,
      (numHeads / numKeyValueHeads) * this.#numQueries,
      this.#numKeys,
    ]);
  }

  /** Zeros in the rows, [B · Hkv, (H / Hkv) · T, d], of queries that see no key. */
  withoutBlindRows(rows: tf.Tensor3D): tf.Tensor3D {
    if (!this.mask?.seesAny) return rows;
    const [batch, heads, numQueries] = this.mask.shape;
    const seesAny = tf.tensor4d(this.mask.seesAny, [batch, heads, numQueries, 1]);
    const apart = tf.reshape(rows, [this.#batch, this.attrs.numHeads, this.#numQueries, rows.shape[2]]);
    return tf.reshape(tf.mul(apart, seesAny), rows.shape);
  }
}

/** [B, N, M, d] to [B, M, N, d]; free where one of the two is 1, as in decoding. */
function swapMiddle(x: tf.Tensor): tf.Tensor {
  const [batch, n, m, size] = x.shape as [number, number, number, number];
  return n === 1 || m === 1 ? tf.reshape(x, [batch, m, n, size]) : tf.transpose(x, [0, 2, 1, 3]);
}

/** The reference of `mmllm/Attention`. */
export function attend(inputs: AttentionInputs, attrs: AttentionAttrs): tf.Tensor[] {
  const { q, k, v } = inputs;
  const { numHeads, scale } = attrs;
  const layout = new HeadLayout(inputs, attrs);
  const scores = layout.scores(layout.split(tf.mul(q, scale), numHeads), layout.splitKeys(k));
  const weights = tf.softmax(scores);
  const rows = matmul(layout.asProduct(weights), layout.splitKeys(v)) as tf.Tensor3D;
  const out = layout.merge(layout.withoutBlindRows(rows), numHeads, q.shape[1]);
  // The weight of the largest score is exp(max − logSumExp); exponentials are slow on wasm, this needs one a row.
  const logSumExp = tf.sub(tf.max(scores, -1), tf.log(tf.max(weights, -1)));
  return [out, logSumExp];
}

/**
 * The reference of `mmllm/AttentionGrad`, recomputing the weights P: `dV = Pᵀ·dO`, `dS = P ∘ (dO·Vᵀ − D)` with
 * `D = Σ dO ∘ O` of each row, `dQ = scale · dS·K`, `dK = scale · dSᵀ·Q` (Dao et al., arXiv:2205.14135, appendix B).
 */
export function attendGradients(
  inputs: AttentionInputs & { out: tf.Tensor; dy: tf.Tensor },
  attrs: AttentionAttrs,
): tf.Tensor[] {
  const { q, k, v, out, dy } = inputs;
  const { numHeads, numKeyValueHeads, numKeys, scale } = attrs;
  const layout = new HeadLayout(inputs, attrs);
  const queries = layout.split(tf.mul(q, scale), numHeads);
  const [keys, values] = [layout.splitKeys(k), layout.splitKeys(v)];
  const dOut = layout.withoutBlindRows(layout.split(dy, numHeads));

  const weights = layout.asProduct(tf.softmax(layout.scores(queries, keys)));
  const dV = matmul(weights, dOut, { transposeA: true });
  const dWeights = matmul(dOut, values, { transposeB: true });
  const rowSums = tf.sum(tf.mul(dOut, layout.split(out, numHeads)), -1, true);
  const dScores = tf.mul(weights, tf.sub(dWeights, rowSums));
  const dQ = tf.mul(matmul(dScores, keys), scale);
  const dK = matmul(dScores, queries, { transposeA: true });
  return [
    layout.merge(dQ, numHeads, q.shape[1]),
    layout.merge(dK, numKeyValueHeads, numKeys),
    layout.merge(dV, numKeyValueHeads, numKeys),
  ];
}
