import type { TensorInfo } from '@tensorflow/tfjs-core';
import { filled, repeated, webgpuKernel } from './kernel';

interface RopeInputs {
  /** float32[B, T, numHeads · d] */
  x: TensorInfo;
  /** float32[B or 1, T, rotaryDim / 2] */
  cos: TensorInfo;
  /** float32[B or 1, T, rotaryDim / 2] */
  sin: TensorInfo;
}

interface RopeAttrs {
  numHeads: number;
  rotaryDim: number;
  interleaved: boolean;
  /** Turns the other way. */
  inverse: boolean;
}

/** `mmllm/Rope`: (a, b) of each pair becomes (a·cos − b·sin, b·cos + a·sin). */
export const ropeKernel = webgpuKernel<RopeInputs, RopeAttrs>(
  'mmllm/Rope',
  'one pass over the memory instead of products with permutations',
  ({ gpu, inputs: { x, cos, sin }, attrs: { numHeads, rotaryDim, interleaved, inverse } }) => {
    const width = x.shape[2]!;
    return gpu.elements({
      name: `Rope${interleaved ? ' of neighbours' : ''}`,
      inputs: { x, cos, sin },
      shape: x.shape,
      ints: {
        width,
        headSize: width / numHeads,
        rotary: rotaryDim,
        tableRows: cos.shape[0]! * cos.shape[1]!,
      },
      floats: { direction: inverse ? -1 : 1 },
      prelude: () => `
        fn turned(i : i32) -> f32 {
          let place = i % uniforms.width % uniforms.headSize;
          if (place >= uniforms.rotary) { return x[i]; }
          let half = uniforms.rotary / 2;
          ${
            interleaved
              ? 'let distance = 1; let pair = place / 2; let isSecond = place % 2 == 1;'
              : 'let distance = half; let pair = place % half; let isSecond = place >= half;'
          }
          let at = i / uniforms.width % uniforms.tableRows * half + pair;
          let turn = uniforms.direction * sin[at];
          return x[i] * cos[at] + select(-x[i + distance] * turn, x[i - distance] * turn, isSecond);
        }`,
      value: () => 'turned(i)',
    });
  },
  [false, true].map((interleaved) => ({
    inputs: { x: repeated([1, 2, 2], [2, 3]), cos: filled([1, 2, 1], 0), sin: filled([1, 2, 1], 1) },
    attrs: { numHeads: 1, rotaryDim: 2, interleaved, inverse: false },
    expected: [[-3, 2, -3, 2]],
  })),
);
