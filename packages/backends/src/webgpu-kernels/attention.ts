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
import { type Call, filled, repeated, webgpuKernel } from './kernel';
import { sizeOf } from './program';

interface AttentionInputs {
  /** float32[B, T, numHeads · d] */
  q: TensorInfo;
  /** float32[B, S, numKeyValueHeads · d] */
  k: TensorInfo;
  /** float32[B, S, numKeyValueHeads · d] */
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
  scale: number;
}

/** `mmllm/Attention`: the result, and the log of the sum of exponentials of every row of scores. */
export const attentionKernel = webgpuKernel<AttentionInputs, AttentionAttrs>(
  'mmllm/Attention',
  'fused: no scores are kept, the rule is evaluated in the shader, heads are read in place',
  (call) => {
    const { gpu, inputs, attrs } = call;
    const { q, k, v } = inputs;
    const { headSize, ints } = sizesOf(call);
    const rule = ruleCode(gpu, attrs.rule, ints);
    const normsShape = [ints.batches, attrs.numHeads, ints.queries];
    const tiling = tilingFor(gpu, { items: ints.queries * ints.group, headSize, ownTiles: 1 });
    const blocks = Math.ceil((ints.queries * ints.group) / tiling.rows);
    // A program has one output; splitting it costs far less than computing the scores twice.
    const both = gpu.run({
      name: `Attention ${rule.name}, ${tilingName(tiling, headSize)}`,
      inputs: { q, k, v, ...rule.inputs },
      ...(readsQuads(headSize) && { quads: ['q', 'k', 'v'] }),
      shape: [sizeOf(q.shape) + sizeOf(normsShape)],
      ints: { ...ints, ...rule.ints, blocks, normsAt: sizeOf(q.shape) },
      floats: { scale: attrs.scale },
      lanes: tiling.rows * tiling.perRow,
      groups: blocks * ints.keyHeads * ints.batches,
      code: () => attentionCode({ tiling, headSize, rule: rule.code() }),
    });
    return [partOf(gpu, both, 0, q.shape), partOf(gpu, both, sizeOf(q.shape), normsShape)];
  },
  [
    {
      inputs: {
        q: filled([1, 5, 4], 1),
        k: filled([1, 5, 4], 0),
        v: repeated([1, 5, 4], [1, 1, 1, 1, 3, 3, 3, 3]),
      },
      attrs: { rule: { causal: true, start: Int32Array.of(1) }, numHeads: 1, numKeyValueHeads: 1, scale: 1 },
      expected: [
        [0, 3, 2, 7 / 3, 2].flatMap((value) => new Array<number>(4).fill(value)),
        [0, 0, Math.log(2), Math.log(3), Math.log(4)],
      ],
    },
  ],
);

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
        q: filled([1, 3, 4], 0),
        k: filled([1, 2, 4], 0),
        v: repeated([1, 2, 4], [1, 1, 1, 1, 3, 3, 3, 3]),
        out: filled([1, 3, 4], 2),
        logSumExp: filled([1, 1, 3], Math.log(2)),
        dy: filled([1, 3, 4], 1),
      },
      attrs: { rule: { causal: false }, numHeads: 1, numKeyValueHeads: 1, scale: 1 },
      expected: [filled([12], 0).data, filled([8], 0).data, filled([8], 1.5).data],
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
  const keys = k.shape[1]!;
  const { numHeads, numKeyValueHeads } = attrs;
  return {
    headSize: width / numHeads,
    ints: { batches, queries, keys, keyHeads: numKeyValueHeads, group: numHeads / numKeyValueHeads },
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
