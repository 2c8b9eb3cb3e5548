import type { TensorInfo } from '@tensorflow/tfjs-core';
import { activated } from './activate';
import type { Activation } from './activations';
import { HELD_TYPES, type HeldCodes, type HeldType, heldReader, isGrouped, toWords } from './held-code';
import { filled, type Probe, type WebgpuKernel, webgpuKernel } from './kernel';
import { multiply } from './product';
import { sizeOf } from './program';

interface HeldAttrs {
  type: HeldType;
  outputs: number;
  inputs: number;
}

interface HeldLinearInputs {
  /** float32[…, inputs] */
  x: TensorInfo;
  /** int32, the words of a held weight. */
  weight: TensorInfo;
  /** float32[outputs] */
  bias?: TensorInfo;
  /** float32[…, outputs] */
  residual?: TensorInfo;
}

const INTEGERS = ['weight'];

/** For probes: a weight of three outputs and 40 inputs, all 2. */
const TWOS = HELD_TYPES.map((type) => {
  const [outputs, inputs] = [3, 40];
  const code = { bfloat16: 0x4000, float16: 0x4000, q8: 4, q4: 12, q4_1: 10 }[type];
  const words = toWords({
    ...{ type, outputs, inputs },
    codes: new Uint16Array(outputs * inputs).fill(code),
    scales: new Float32Array(isGrouped(type) ? outputs * 2 : 0).fill(0.5),
    minimums: new Float32Array(type === 'q4_1' ? outputs * 2 : 0).fill(-3),
  });
  const weight: Probe['inputs'][string] = { shape: [words.length], data: [...words], dtype: 'int32' };
  return { attrs: { type, outputs, inputs }, weight };
});

/** `mmllm/HoldWeight`: the words of a weight that is given in codes, as int32. */
const holdWeightKernel = webgpuKernel<Record<never, never>, HeldCodes>(
  'mmllm/HoldWeight',
  'weights in 16, 8 or 4 bits',
  ({ gpu, attrs }) => gpu.upload(toWords(attrs)),
  [
    {
      inputs: {},
      attrs: {
        ...{ type: 'q4', outputs: 1, inputs: 2, codes: Uint8Array.of(1, 3) },
        ...{ scales: new Float32Array(1), minimums: new Float32Array() },
      },
      expected: [[0, 49, 0, 0, 0]],
    },
  ],
);

/** `mmllm/HeldLinear`: `activation(x · Hᵀ + bias) + residual`, and with an activation what went into it. */
const heldLinearKernel = webgpuKernel<HeldLinearInputs, HeldAttrs & { activation?: Activation }>(
  'mmllm/HeldLinear',
  'reads the held weight itself',
  ({ gpu, inputs: { x, weight, bias, residual }, attrs: { type, outputs, inputs, activation } }) => {
    const leading = x.shape.slice(0, -1);
    const out = multiply(gpu, {
      ...{ a: x, b: weight, bias, held: { type, inputs }, transposeA: false, transposeB: true },
      ...{ batchA: 1, batchB: 1, rows: sizeOf(leading), depth: inputs, columns: outputs },
      residual: activation ? undefined : residual,
      shape: [...leading, outputs],
    });
    return activation ? [activated(gpu, out, activation, residual), out] : out;
  },
  TWOS.flatMap(({ attrs, weight }) =>
    [1, 6].map((rows) => ({
      inputs: { x: filled([rows, 40], 0.5), weight, bias: filled([3], -1) },
      attrs,
      expected: [filled([rows, 3], 39).data],
    })),
  ),
  INTEGERS,
);

/** `mmllm/HeldLinearGrad`: `dy · H`. */
const heldLinearGradKernel = webgpuKernel<{ dy: TensorInfo; weight: TensorInfo }, HeldAttrs>(
  'mmllm/HeldLinearGrad',
  'reads the held weight itself',
  ({ gpu, inputs: { dy, weight }, attrs: { type, outputs, inputs } }) => {
    const leading = dy.shape.slice(0, -1);
    return multiply(gpu, {
      ...{ a: dy, b: weight, held: { type, inputs }, transposeA: false, transposeB: false },
      ...{ batchA: 1, batchB: 1, rows: sizeOf(leading), depth: outputs, columns: inputs },
      shape: [...leading, inputs],
    });
  },
  TWOS.map(({ attrs, weight }) => ({
    inputs: { dy: filled([6, 3], 0.5), weight },
    attrs,
    expected: [filled([6, 40], 3).data],
  })),
  INTEGERS,
);

/** `mmllm/HeldRows`: all inputs of the outputs `ids`, float32[ids, inputs]. */
const heldRowsKernel = webgpuKernel<{ weight: TensorInfo }, HeldAttrs & { ids: Int32Array }>(
  'mmllm/HeldRows',
  'widens the rows that are asked for',
  ({ gpu, inputs: { weight }, attrs: { type, inputs, ids } }) =>
    gpu.elements({
      name: `HeldRows of ${type}`,
      inputs: { b: weight, ids: gpu.upload(ids) },
      shape: [ids.length, inputs],
      ints: { heldInputs: inputs },
      prelude: () => heldReader(type),
      value: () => 'rightAt(ids[i / uniforms.heldInputs] * uniforms.heldInputs + i % uniforms.heldInputs)',
    }),
  TWOS.map(({ attrs, weight }) => ({
    inputs: { weight },
    attrs: { ...attrs, ids: Int32Array.of(2, 0) },
    expected: [filled([2, 40], 2).data],
  })),
  INTEGERS,
);

/** They go together: what the first packs, only the others read. */
export const heldKernels: readonly WebgpuKernel[] = [
  holdWeightKernel,
  heldLinearKernel,
  heldLinearGradKernel,
  heldRowsKernel,
];
