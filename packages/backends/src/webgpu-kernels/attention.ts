import type { AttentionRule } from '@mmllm/core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import {
  attentionCode,
  attentionGradCode,
  type GradientOf,
  headsOf,
  ownTilesOf,
  readsQuads,
  sideOf,
} from './attention-code';
import { type RuleCode, ruleCode } from './attention-rule';
import { tilingFor, tilingName } from './attention-tiling';
import type { Gpu } from './gpu';
import { type Call, filled, webgpuKernel } from './kernel';
import { fourCodes } from './packed-rows';
import { sizeOf } from './program';

interface AttentionInputs {
  /** float32[B, T, numHeads · d] */
  q: TensorInfo;
  /**
   * float32[B, C, numKeyValueHeads · d], or packed rows in int32, of which the first `numKeys` rows count; for the
   * gradient all do.
   */
  k: TensorInfo;
  /** As k. */
  v: TensorInfo;
}

interface GradientInputs extends AttentionInputs {
  /** float32[B, T, numHeads · d] */
  out: TensorInfo;
  /** float32[B, numHeads, T] */
  logSumExp: TensorInfo;
  /** float32[B, T, numHeads · d] */
  dy: TensorInfo;
}

interface AttentionAttrs {
  rule: AttentionRule;
  numHeads: number;
  numKeyValueHeads: number;
  numKeys: number;
  scale: number;
}

/** Keys in two tiles, the second of which has other values. */
const PROBE = {
  k: filled([1, 40, 4], 1),
  v: { shape: [1, 40, 4], data: [...filled([128], 1).data, ...filled([32], 3).data] },
};

/** The same keys and values, packed. */
const PACKED_PROBE = {
  k: { shape: [1, 40, 2], dtype: 'int32' as const, data: new Array(40).fill(fourCodes(1, 1)).flat() },
  v: {
    shape: [1, 40, 2],
    dtype: 'int32' as const,
    data: Array.from({ length: 40 }, (_, key) => fourCodes(key < 32 ? 2 : 6, 0.5)).flat(),
  },
};

/** Query t sees 36 + t keys. */
const PROBE_OUT = [0, 1, 2, 3, 4].flatMap((t) => new Array<number>(4).fill((32 + 3 * (4 + t)) / (36 + t)));

/** `mmllm/Attention`: the result, and the log of the sum of exponentials of every row of scores. */
export const attentionKernel = webgpuKernel<AttentionInputs, AttentionAttrs>(
  'mmllm/Attention',
  'fused: no scores are kept, the rule is evaluated in the shader, heads are read in place',
  (call) => {
    const { gpu, inputs, attrs } = call;
    const [batch, queries] = inputs.q.shape as [number, number];
    const size = sizeOf(inputs.q.shape);
    const both = attend(call);
    return [partOf(gpu, both, 0, inputs.q.shape), partOf(gpu, both, size, [batch, attrs.numHeads, queries])];
  },
  [
    {
      inputs: { q: filled([1, 5, 4], 1), ...PROBE },
      attrs: { rule: { causal: true }, numHeads: 1, numKeyValueHeads: 1, numKeys: 40, scale: 1 },
      expected: [PROBE_OUT, [0, 1, 2, 3, 4].map((t) => 4 + Math.log(36 + t))],
    },
  ],
);

/** `mmllm/PackedAttention`: the result alone, of keys and values that `mmllm/QuantizeRows` has packed. */
export const packedAttentionKernel = webgpuKernel<AttentionInputs, AttentionAttrs>(
  'mmllm/PackedAttention',
  'fused, and widens keys and values of 8 bits tile by tile',
  (call) => partOf(call.gpu, attend(call), 0, call.inputs.q.shape),
  [
    {
      inputs: { q: filled([1, 5, 4], 1), ...PACKED_PROBE },
      attrs: { rule: { causal: true }, numHeads: 1, numKeyValueHeads: 1, numKeys: 40, scale: 1 },
      expected: [PROBE_OUT],
    },
  ],
  ['k', 'v'],
);

/** The result, and behind it the log-sum-exps: a program has one output, and splitting it costs little. */
function attend(call: Call<AttentionInputs, AttentionAttrs>): TensorInfo {
  const { gpu, inputs, attrs } = call;
  const { q, k, v } = inputs;
  const { headSize, ints } = sizesOf(call);
  const packed = k.dtype === 'int32';
  const rule = ruleCode(gpu, attrs.rule, ints);
  const tiling = tilingFor(gpu, { items: ints.queries * ints.group, headSize, ownTiles: 1 });
  const blocks = Math.ceil((ints.queries * ints.group) / tiling.rows);
  return gpu.run({
    name: `${packed ? 'Packed' : ''}Attention ${rule.name}, ${tilingName(tiling, headSize)}`,
    inputs: { q, k, v, ...rule.inputs },
    ...(readsQuads(headSize) && { quads: packed ? ['q'] : ['q', 'k', 'v'] }),
    shape: [sizeOf(q.shape) + ints.batches * attrs.numHeads * ints.queries],
    ints: { ...ints, ...rule.ints, blocks, normsAt: sizeOf(q.shape) },
    floats: { scale: attrs.scale },
    lanes: tiling.rows * tiling.perRow,
    groups: blocks * ints.keyHeads * ints.batches,
    code: () => attentionCode({ tiling, headSize, rule: rule.code(), packed }),
  });
}

/** `mmllm/AttentionGrad`: the gradients of q, k and v. */
export const attentionGradKernel = webgpuKernel<GradientInputs, AttentionAttrs>(
  'mmllm/AttentionGrad',
  'fused: weights are computed again from the log-sum-exp, tile by tile',
  (call) => {
    const stats = statsOf(call);
    const rule = ruleCode(call.gpu, call.attrs.rule, sizesOf(call).ints);
    return (['q', 'k', 'v'] as const).map((gradient) => gradientOf(call, gradient, stats, rule));
  },
  [
    {
      inputs: {
        ...{ q: filled([1, 3, 4], 1), ...PROBE, out: filled([1, 3, 4], 1.4) },
        ...{ logSumExp: filled([1, 1, 3], 4 + Math.log(40)), dy: filled([1, 3, 4], 1) },
      },
      attrs: { rule: { causal: false }, numHeads: 1, numKeyValueHeads: 1, numKeys: 40, scale: 1 },
      expected: [
        filled([12], 0).data,
        [...filled([128], -0.12).data, ...filled([32], 0.48).data],
        filled([160], 0.075).data,
      ],
    },
  ],
);

function gradientOf(
  call: Call<GradientInputs, AttentionAttrs>,
  gradient: GradientOf,
  stats: TensorInfo,
  rule: RuleCode,
): TensorInfo {
  const { gpu, inputs, attrs } = call;
  const { headSize, ints } = sizesOf(call);
  const items = sideOf(gradient) === 'queries' ? ints.queries * ints.group : ints.keys;
  const tiling = tilingFor(gpu, { items, headSize, ownTiles: ownTilesOf(gradient) });
  const blocks = Math.ceil(items / tiling.rows);
  const heads = headsOf(gradient);
  return gpu.run({
    name: `AttentionGrad of ${gradient}, ${rule.name}, ${tilingName(tiling, headSize)}`,
    inputs: { ...Object.fromEntries(heads.map((name) => [name, inputs[name]])), stats, ...rule.inputs },
    ...(readsQuads(headSize) && { quads: heads }),
    shape: inputs[gradient].shape,
    ints: { ...ints, ...rule.ints, blocks },
    floats: { scale: attrs.scale },
    lanes: tiling.rows * tiling.perRow,
    groups: blocks * ints.keyHeads * ints.batches,
    code: () => attentionGradCode({ tiling, headSize, rule: rule.code() }, gradient),
  });
}

/** The log-sum-exp and `Σ dy ∘ out` of each row, float32[B, H, T, 2]: one tensor, as shaders may bind eight. */
function statsOf(call: Call<GradientInputs, AttentionAttrs>): TensorInfo {
  const { logSumExp, out, dy } = call.inputs;
  const { headSize, ints } = sizesOf(call);
  return call.gpu.elements({
    name: `AttentionGrad, rows, heads of ${headSize}`,
    inputs: { logSumExp, y: out, dy },
    shape: [...logSumExp.shape, 2],
    ints: { heads: ints.keyHeads * ints.group, queries: ints.queries },
    prelude: () => `
      fn statOf(i : i32) -> f32 {
        let row = i / 2;
        if (i % 2 == 0) { return logSumExp[row]; }
        let sample = row / (uniforms.heads * uniforms.queries);
        let head = row / uniforms.queries % uniforms.heads;
        let place = ((sample * uniforms.queries + row % uniforms.queries) * uniforms.heads + head) * ${headSize};
        var sum = 0.0;
        for (var at = place; at < place + ${headSize}; at++) { sum += dy[at] * y[at]; }
        return sum;
      }`,
    value: () => 'statOf(i)',
  });
}

function sizesOf({ inputs: { q, k }, attrs }: Call<AttentionInputs, AttentionAttrs>) {
  const [batches, queries, width] = q.shape as [number, number, number];
  const { numHeads, numKeyValueHeads, numKeys } = attrs;
  return {
    headSize: width / numHeads,
    ints: {
      ...{ batches, queries, keys: numKeys, keyRows: k.shape[1]! },
      ...{ keyHeads: numKeyValueHeads, group: numHeads / numKeyValueHeads },
    },
  };
}

const partOf = (gpu: Gpu, x: TensorInfo, first: number, shape: readonly number[]): TensorInfo =>
  gpu.elements({
    name: 'Part',
    inputs: { x },
    shape,
    ints: { first },
    value: () => 'x[uniforms.first + i]',
  });
