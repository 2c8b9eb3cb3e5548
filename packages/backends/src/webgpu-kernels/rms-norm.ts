import type { TensorInfo } from '@tensorflow/tfjs-core';
import { columnSums } from './column-sums';
import { filled, repeated, webgpuKernel } from './kernel';
import { rowsOf } from './layer-norm';
import { runRows, sumOverRow, writeOfRow, writeRow } from './reductions';

interface NormInputs {
  /** float32[…, D] */
  x: TensorInfo;
  /** float32[D] */
  gain: TensorInfo;
}

/** float32[R, 1] */
interface InverseRms {
  inverseRms: TensorInfo;
}

const PROBE_WIDTH = 96;

/** `mmllm/RmsNorm`: the result, and `1 / √(mean(x²) + eps)` of every row. */
export const rmsNormKernel = webgpuKernel<NormInputs, { eps: number; offset: 0 | 1 }>(
  'mmllm/RmsNorm',
  'reads each row twice, by a workgroup of its own',
  ({ gpu, inputs: { x, gain }, attrs: { eps, offset } }) => {
    const { rows, width } = rowsOf(x);
    const inverseRms = runRows(gpu, {
      name: 'RmsNorm, inverse',
      inputs: { x },
      shape: [rows, 1],
      floats: { eps },
      rows,
      width,
      body: () => `
        ${sumOverRow('total', 'x[i] * x[i]')}
        ${writeOfRow('inverseSqrt(total / f32(uniforms.width) + uniforms.eps)')}`,
    });
    const out = gpu.elements({
      name: 'RmsNorm',
      inputs: { x, gain, inverseRms },
      shape: x.shape,
      ints: { width },
      floats: { offset },
      value: () => 'x[i] * inverseRms[i / uniforms.width] * (uniforms.offset + gain[i % uniforms.width])',
    });
    return [out, inverseRms];
  },
  [
    {
      inputs: { x: repeated([2, PROBE_WIDTH], [2, -2]), gain: filled([PROBE_WIDTH], 3) },
      attrs: { eps: 0, offset: 1 },
      expected: [repeated([2, PROBE_WIDTH], [4, -4]).data, [0.5, 0.5]],
    },
  ],
);

/** `mmllm/RmsNormGrad`: the gradient of x, `(g − x · mean(g·x)/rms²) / rms` with `g = dy · (offset + gain)`. */
export const rmsNormGradKernel = webgpuKernel<
  NormInputs & InverseRms & { dy: TensorInfo },
  { offset: 0 | 1 }
>(
  'mmllm/RmsNormGrad',
  'reads each row twice, by a workgroup of its own',
  ({ gpu, inputs: { dy, x, gain, inverseRms }, attrs: { offset } }) => {
    const g = 'dy[i] * (uniforms.offset + gain[i - begin])';
    return runRows(gpu, {
      name: 'RmsNormGrad',
      inputs: { dy, x, gain, inverseRms },
      shape: x.shape,
      floats: { offset },
      ...rowsOf(x),
      body: () => `
        let inverse = inverseRms[row];
        ${sumOverRow('along', `${g} * x[i]`)}
        let slope = along * inverse * inverse / f32(uniforms.width);
        ${writeRow(`(${g} - x[i] * slope) * inverse`)}`,
    });
  },
  [
    {
      inputs: {
        dy: repeated([2, PROBE_WIDTH], [1, 0]),
        x: filled([2, PROBE_WIDTH], 1),
        gain: filled([PROBE_WIDTH], 2),
        inverseRms: filled([2, 1], 1),
      },
      attrs: { offset: 0 },
      expected: [repeated([2, PROBE_WIDTH], [1, -1]).data],
    },
  ],
);

/** `mmllm/RmsNormGainGrad`: `Σ over rows of dy · x / rms`. */
export const rmsNormGainGradKernel = webgpuKernel<InverseRms & { dy: TensorInfo; x: TensorInfo }, object>(
  'mmllm/RmsNormGainGrad',
  'sums over rows without a transposed copy',
  ({ gpu, inputs }) =>
    columnSums(gpu, {
      name: 'RmsNormGainGrad',
      inputs: { ...inputs },
      ...rowsOf(inputs.x),
      term: 'dy[at] * x[at] * inverseRms[row]',
    }),
  [
    {
      inputs: { dy: filled([70, 3], 2), x: filled([70, 3], 3), inverseRms: filled([70, 1], 0.5) },
      attrs: {},
      expected: [[210, 210, 210]],
    },
  ],
);
