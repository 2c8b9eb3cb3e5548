import type { AttentionRule } from '@mmllm/core';
import { packedWidth } from '@mmllm/nn';
import type * as tf from '@tensorflow/tfjs-core';
import {
  type KernelCall,
  type KernelResult,
  like,
  one,
  productFlops,
  type ShapeKernel,
  same,
  sizeOf,
} from './kernel';

/**
 * The kernels of the op layer, as wasm and webgpu have them: what they make, without what their references need on the
 * way. One that is not here runs as its reference, and that is counted.
 */
export const opKernels: Readonly<Record<`mmllm/${string}`, ShapeKernel>> = {
  'mmllm/MatMul': ({ inputs: { a, b }, attrs: { transposeA, transposeB } }) =>
    product(a, b, transposeA, transposeB),
  'mmllm/Linear': ({ inputs: { x, weight }, attrs, resultOnly }) =>
    layer({ x, attrs, resultOnly }, weight.shape[0], weight.shape[1]),
  'mmllm/HeldLinear': ({ inputs: { x }, attrs, resultOnly }) =>
    layer({ x, attrs, resultOnly }, attrs.inputs, attrs.outputs),
  'mmllm/HeldLinearGrad': ({ inputs: { dy }, attrs: { inputs, outputs } }) =>
    one({ shape: [...leading(dy), inputs] }, productFlops(sizeOf(leading(dy)), inputs, outputs)),
  'mmllm/HeldRows': ({ attrs: { ids, inputs } }) => one({ shape: [ids.length, inputs] }),

  'mmllm/GroupedMatMul': ({ inputs: { x, weights }, attrs: { transpose } }) => {
    const [rows, inner] = x.shape;
    const outer = weights.shape[transpose ? 1 : 2];
    return one({ shape: [rows, outer] }, productFlops(rows, inner, outer));
  },
  'mmllm/GroupedMatMulGrad': ({ inputs: { x, dy }, attrs: { groupSizes } }) =>
    one(
      { shape: [groupSizes.length, x.shape[1], dy.shape[1]] },
      productFlops(x.shape[0], x.shape[1], dy.shape[1]),
    ),

  'mmllm/Attention': ({ inputs: { q }, attrs, resultOnly }) => {
    const [batch, length] = q.shape;
    const logSumExp = { shape: [batch, attrs.numHeads, length] };
    // Scores, and the values by their weights.
    return { outputs: [like(q), ...(resultOnly ? [] : [logSumExp])], flops: 2 * pairFlops(q, attrs) };
  },
  // The gradients of both products by both of their sides; the scores that are computed again do not count.
  'mmllm/AttentionGrad': ({ inputs: { q, k, v }, attrs }) => ({
    outputs: [like(q), like(k), like(v)],
    flops: 4 * pairFlops(q, attrs),
  }),
  'mmllm/PackedAttention': ({ inputs: { q }, attrs }) => one(like(q), 2 * pairFlops(q, attrs)),
  'mmllm/QuantizeRows': ({ inputs: { x } }) =>
    one({ shape: [x.shape[0], x.shape[1], packedWidth(x.shape[2])], dtype: 'int32' }),
  // In place.
  'mmllm/CacheAppend': ({ inputs: { cache } }) => one(same(cache)),
  'mmllm/CacheRows': ({ inputs: { cache }, attrs: { samples, rows } }) =>
    one({ shape: [samples.length, rows, cache.shape[2]], dtype: cache.dtype }),

  'mmllm/Activate': ({ inputs: { x } }) => one(like(x)),
  'mmllm/ActivateGrad': ({ inputs: { x } }) => one(like(x)),
  'mmllm/Gated': ({ inputs: { gate } }) => one(like(gate)),
  'mmllm/GatedGrad': ({ inputs: { gate, up } }) => ({ outputs: [like(gate), like(up)] }),

  'mmllm/RmsNorm': (call) => norm(call, 1),
  'mmllm/RmsNormGrad': ({ inputs: { x } }) => one(like(x)),
  'mmllm/RmsNormGainGrad': ({ inputs: { x } }) => one({ shape: [widthOf(x)] }),
  'mmllm/LayerNorm': (call) => norm(call, 2),
  'mmllm/LayerNormGrad': ({ inputs: { x } }) => one(like(x)),
  'mmllm/LayerNormGainGrad': ({ inputs: { x } }) => one({ shape: [widthOf(x)] }),
  'mmllm/Rope': ({ inputs: { x } }) => one(like(x)),

  'mmllm/Embedding': ({ inputs: { table }, attrs: { ids } }) => one({ shape: [ids.length, table.shape[1]] }),
  'mmllm/EmbeddingGrad': ({ inputs: { dy }, attrs: { vocabSize } }) =>
    one({ shape: [vocabSize, dy.shape[1]] }),
  'mmllm/SelectRows': ({ inputs: { x }, attrs: { index } }) => one({ shape: [index.length, x.shape[1]] }),
  'mmllm/ColumnSums': ({ inputs: { x } }) => one({ shape: [widthOf(x)] }),
  'mmllm/SumOfSquares': () => one({ shape: [] }),

  'mmllm/LogSumExp': ({ inputs: { x } }) => one({ shape: leading(x) }),
  'mmllm/LogSumExpGrad': ({ inputs: { x } }) => one(like(x)),
  'mmllm/CrossEntropy': ({ inputs: { logits } }) => ({
    outputs: [{ shape: [] }, { shape: [logits.shape[0]] }],
  }),
  'mmllm/CrossEntropyGrad': ({ inputs: { logits } }) => one(like(logits)),

  // In place, as all three are a variable's own.
  'mmllm/AdamW': ({ inputs: { parameter, m, v } }) => ({ outputs: [same(parameter), same(m), same(v)] }),
};

const leading = ({ shape }: tf.TensorInfo): number[] => shape.slice(0, -1);

const widthOf = ({ shape }: tf.TensorInfo): number => shape[shape.length - 1];

/** A product of matrices or batches of them, either side transposed; a batch of 1 goes with any. */
export function product(
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
): KernelResult {
  const rows = a.shape[a.shape.length - (transposeA ? 1 : 2)];
  const inner = a.shape[a.shape.length - (transposeA ? 2 : 1)];
  const columns = b.shape[b.shape.length - (transposeB ? 2 : 1)];
  const batches = Array.from({ length: a.shape.length - 2 }, (_, i) => Math.max(a.shape[i], b.shape[i]));
  return one({ shape: [...batches, rows, columns] }, sizeOf(batches) * productFlops(rows, columns, inner));
}

/** `activation(x · weight + bias) + residual`, and with an activation what went into it. */
function layer(
  { x, attrs, resultOnly }: { x: tf.TensorInfo } & Pick<KernelCall, 'attrs' | 'resultOnly'>,
  inputs: number,
  outputs: number,
): KernelResult {
  const out = { shape: [...leading(x), outputs] };
  return {
    outputs: attrs.activation && !resultOnly ? [out, out] : [out],
    flops: productFlops(sizeOf(leading(x)), inputs, outputs),
  };
}

/** A norm, and for the gradient so many numbers for each row. */
function norm({ inputs: { x }, resultOnly }: KernelCall, numbers: number): KernelResult {
  const perRow = { shape: [sizeOf(leading(x)), 1] };
  return { outputs: [like(x), ...(resultOnly ? [] : new Array(numbers).fill(perRow))] };
}

interface AttentionAttrs {
  readonly rule: AttentionRule;
  readonly numKeys: number;
}

/** A product that has a number for each pair of query and key, or a sum over them, of all heads together. */
function pairFlops({ shape }: tf.TensorInfo, { rule, numKeys }: AttentionAttrs): number {
  const [batch, length, width] = shape;
  return productFlops(pairsOf(rule, batch, length, numKeys), width, 1);
}

/** Pairs of query and key: of one block where a rule has blocks, else all, also those that the rule hides. */
function pairsOf(
  { queryBlocks, keyBlocks }: AttentionRule,
  batch: number,
  length: number,
  keys: number,
): number {
  if (!queryBlocks || !keyBlocks) return batch * length * keys;
  let pairs = 0;
  for (let b = 0; b < batch; b++) {
    const sizes = new Map<number, number>();
    for (const block of keyBlocks.subarray(b * keys, (b + 1) * keys)) {
      sizes.set(block, (sizes.get(block) ?? 0) + 1);
    }
    for (const block of queryBlocks.subarray(b * length, (b + 1) * length)) pairs += sizes.get(block) ?? 0;
  }
  return pairs;
}
