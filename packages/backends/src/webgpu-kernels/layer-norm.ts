import type { TensorInfo } from '@tensorflow/tfjs-core';
import { columnSums } from './column-sums';
import { filled, repeated, webgpuKernel } from './kernel';
import { sizeOf } from './program';
import { runRows, sumOverRow, writeOfRow, writeRow } from './reductions';

interface NormInputs {
  /** float32[…, D] */
  x: TensorInfo;
  /** float32[D] */
  gain: TensorInfo;
  /** float32[D] */
  bias?: TensorInfo;
}

interface GradientInputs {
  dy: TensorInfo;
  x: TensorInfo;
  /** float32[R, 1] */
  mean: TensorInfo;
  /** float32[R, 1] */
  inverseDeviation: TensorInfo;
}

/** Rows and width of a tensor that is looked at along its last axis. */
export function rowsOf({ shape }: TensorInfo): { rows: number; width: number } {
  const width = shape.at(-1) ?? 1;
  return { rows: width === 0 ? 0 : sizeOf(shape) / width, width };
}

const PROBE_WIDTH = 96;

/** `mmllm/LayerNorm`: the result, and the mean and inverse deviation of every row. */
export const layerNormKernel = webgpuKernel<NormInputs, { eps: number }>(
  'mmllm/LayerNorm',
  'reads each row three times, by a workgroup of its own',
  ({ gpu, inputs: { x, gain, bias }, attrs: { eps } }) => {
    const { rows, width } = rowsOf(x);
    const mean = runRows(gpu, {
      name: 'LayerNorm, mean',
      inputs: { x },
      shape: [rows, 1],
      rows,
      width,
      body: () => `
          ${sumOverRow('total', 'x[i]')}
          ${writeOfRow('total / f32(uniforms.width)')}`,
    });
    const inverseDeviation = runRows(gpu, {
      name: 'LayerNorm, deviation',
      inputs: { x, mean },
      shape: [rows, 1],
      floats: { eps },
      rows,
      width,
      body: () => `
        let middle = mean[row];
        ${sumOverRow('total', '(x[i] - middle) * (x[i] - middle)')}
        ${writeOfRow('inverseSqrt(total / f32(uniforms.width) + uniforms.eps)')}`,
    });
    const out = gpu.elements({
      name: `LayerNorm${bias ? ' with bias' : ''}`,
      inputs: { x, gain, mean, inverseDeviation, ...(bias && { bias }) },
      shape: x.shape,
      ints: { width },
      value: () => {
        const [row, column] = ['i / uniforms.width', 'i % uniforms.width'];
        const scaled = `(x[i] - mean[${row}]) * inverseDeviation[${row}] * gain[${column}]`;
        return bias ? `${scaled} + bias[${column}]` : scaled;
      },
    });
    return [out, mean, inverseDeviation];
  },
  [
    {
      inputs: {
        x: repeated([2, PROBE_WIDTH], [1, 3]),
        gain: filled([PROBE_WIDTH], 2),
        bias: filled([PROBE_WIDTH], 1),
      },
      attrs: { eps: 0 },
      expected: [repeated([2, PROBE_WIDTH], [-1, 3]).data, [2, 2], [1, 1]],
    },
  ],
);

/** `mmllm/LayerNormGrad`: the gradient of x, `(g − mean(g) − c · mean(g·c)/σ²) / σ` with `c = x − mean(x)`. */
export const layerNormGradKernel = webgpuKernel<GradientInputs & { gain: TensorInfo }, object>(
  'mmllm/LayerNormGrad',
  'reads each row twice, by a workgroup of its own',
  ({ gpu, inputs: { dy, x, mean, inverseDeviation, gain } }) => {
    const g = 'dy[i] * gain[i - begin]';
    return runRows(gpu, {
      name: 'LayerNormGrad',
      inputs: { dy, x, mean, inverseDeviation, gain },
      shape: x.shape,
      ...rowsOf(x),
      body: () => `
        let middle = mean[row];
        let inverse = inverseDeviation[row];
        ${sumOverRow('total', g)}
        ${sumOverRow('along', `${g} * (x[i] - middle)`)}
        let count = f32(uniforms.width);
        let slope = along * inverse * inverse / count;
        ${writeRow(`(${g} - total / count - (x[i] - middle) * slope) * inverse`)}`,
    });
  },
  [
    {
      inputs: {
        dy: repeated([2, PROBE_WIDTH], [1, 0, 0, 0]),
        x: repeated([2, PROBE_WIDTH], [1, 1, -1, -1]),
        mean: filled([2, 1], 0),
        inverseDeviation: filled([2, 1], 1),
        gain: filled([PROBE_WIDTH], 4),
      },
      attrs: {},
      expected: [repeated([2, PROBE_WIDTH], [2, -2, 0, 0]).data],
    },
  ],
);

/** `mmllm/LayerNormGainGrad`: `Σ over rows of dy · (x − mean) / σ`. */
export const layerNormGainGradKernel = webgpuKernel<GradientInputs, object>(
  'mmllm/LayerNormGainGrad',
  'sums over rows without a transposed copy',
  ({ gpu, inputs }) =>
    columnSums(gpu, {
      name: 'LayerNormGainGrad',
      inputs: { ...inputs },
      ...rowsOf(inputs.x),
      term: 'dy[at] * (x[at] - mean[row]) * inverseDeviation[row]',
    }),
  [
    {
      inputs: {
        dy: filled([70, 3], 2),
        x: filled([70, 3], 3),
        mean: filled([70, 1], 1),
        inverseDeviation: filled([70, 1], 0.5),
      },
      attrs: {},
      expected: [[140, 140, 140]],
    },
  ],
);
