import type { TensorInfo } from '@tensorflow/tfjs-core';
import { webgpuKernel } from './kernel';
import { rowsOf } from './program';

const GROUP = 32;

/** The bits of a float as an int32. */
const bitsOf = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0]!;

/** For probes: a packed row of four equal codes. */
export const fourCodes = (code: number, scale: number): number[] => [code * 0x01010101, bitsOf(scale)];

/**
 * `mmllm/QuantizeRows`: float32[B, T, D] to int32[B, T, ⌈D / 4⌉ + ⌈D / 32⌉]: four codes a word, the first in the lowest
 * bits, then the scales.
 */
export const quantizeRowsKernel = webgpuKernel<{ x: TensorInfo }, object>(
  'mmllm/QuantizeRows',
  'packs keys and values into 8 bits',
  ({ gpu, inputs: { x } }) => {
    const { width } = rowsOf(x);
    const codeWords = Math.ceil(width / 4);
    const words = codeWords + Math.ceil(width / GROUP);
    return gpu.elements({
      name: 'QuantizeRows',
      inputs: { x },
      type: 'int32',
      shape: [...x.shape.slice(0, -1), words],
      ints: { width, codeWords, words },
      prelude: () => `
        fn wordOf(i : i32) -> i32 {
          let row = i / uniforms.words * uniforms.width;
          let word = i % uniforms.words;
          let isScale = word >= uniforms.codeWords;
          let group = select(word * 4 / ${GROUP}, word - uniforms.codeWords, isScale);
          var most = 0.0;
          for (var at = group * ${GROUP}; at < min((group + 1) * ${GROUP}, uniforms.width); at++) {
            most = max(most, abs(x[row + at]));
          }
          let scale = most / 127.0;
          if (isScale) { return bitcast<i32>(scale); }
          var codes = 0;
          for (var j = 0; j < 4; j++) {
            let at = word * 4 + j;
            if (at < uniforms.width && scale > 0.0) {
              let code = i32(clamp(round(x[row + at] / scale), -127.0, 127.0));
              codes = insertBits(codes, code, u32(8 * j), 8u);
            }
          }
          return codes;
        }`,
      value: () => 'wordOf(i)',
    });
  },
  [
    {
      inputs: { x: { shape: [1, 1, 4], data: [127, -127, 2, 0] } },
      attrs: {},
      expected: [[0x0002817f, bitsOf(1)]],
    },
  ],
);

/** WGSL: four neighbouring values of packed rows of `uniforms.keyHeads · HEAD_SIZE`, by the place of the first. */
export const packedQuadReader = (name: string): string => `
  fn quadOf_${name}(place : i32, quad : i32) -> vec4<f32> {
    let width = uniforms.keyHeads * HEAD_SIZE;
    let codeWords = (width + 3) / 4;
    let row = place / width * (codeWords + (width + ${GROUP - 1}) / ${GROUP});
    let first = place % width + 4 * quad;
    var value = vec4<f32>(0.0);
    for (var i = 0; i < 4; i++) {
      if (4 * quad + i < HEAD_SIZE) {
        let at = first + i;
        let code = extractBits(${name}[row + at / 4], u32(at % 4) * 8u, 8u);
        value[i] = bitcast<f32>(${name}[row + codeWords + at / ${GROUP}]) * f32(code);
      }
    }
    return value;
  }`;
