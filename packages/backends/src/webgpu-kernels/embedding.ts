import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from './gpu';
import { repeated, webgpuKernel } from './kernel';

interface EmbeddingAttrs {
  ids: Int32Array;
}

const PROBE = { inputs: repeated([2, 2], [1, 2, 3, 4]) };

/** Rows of float32[R, D] by their numbers, one after the other; −1 gives zeros. */
function rowsAt(gpu: Gpu, x: TensorInfo, numbers: Int32Array): TensorInfo {
  const width = x.shape[1]!;
  return gpu.elements({
    name: 'Rows',
    inputs: { x, numbers: gpu.upload(numbers) },
    shape: [numbers.length, width],
    ints: { width },
    prelude: () => `
      fn valueOf(row : i32, column : i32) -> f32 {
        if (row < 0) { return 0.0; }
        return x[row * uniforms.width + column];
      }`,
    value: () => 'valueOf(numbers[i / uniforms.width], i % uniforms.width)',
  });
}

/** `mmllm/Embedding`: float32[ids.length, D] of a table float32[V, D]. */
export const embeddingKernel = webgpuKernel<{ table: TensorInfo }, EmbeddingAttrs>(
  'mmllm/Embedding',
  'shares its shader with SelectRows',
  ({ gpu, inputs: { table }, attrs: { ids } }) => rowsAt(gpu, table, ids),
  [{ inputs: { table: PROBE.inputs }, attrs: { ids: Int32Array.of(1, 1) }, expected: [[3, 4, 3, 4]] }],
);

/** `mmllm/SelectRows`: float32[index.length, D] of float32[R, D]; −1 gives a row of zeros. */
export const selectRowsKernel = webgpuKernel<{ x: TensorInfo }, { index: Int32Array }>(
  'mmllm/SelectRows',
  'one pass over the memory, without a padded copy',
  ({ gpu, inputs: { x }, attrs: { index } }) => rowsAt(gpu, x, index),
  [{ inputs: { x: PROBE.inputs }, attrs: { index: Int32Array.of(1, -1) }, expected: [[3, 4, 0, 0]] }],
);

/** `mmllm/EmbeddingGrad`: `dTable[v] = Σ over tokens with id v of dy`. */
export const embeddingGradKernel = webgpuKernel<{ dy: TensorInfo }, EmbeddingAttrs & { vocabSize: number }>(
  'mmllm/EmbeddingGrad',
  'a workgroup for each id that occurs, adding in a fixed order, where tfjs adds with atomics',
  ({ gpu, inputs: { dy }, attrs: { ids, vocabSize } }) => {
    const width = dy.shape[1]!;
    const shape = [vocabSize, width];
    const sums = gpu.elements({ name: 'Zeros', inputs: {}, shape, value: () => '0.0' });
    const { plan, numIds } = planOf(ids);
    if (numIds === 0 || width === 0) return sums;
    const lanes = gpu.lanes(64);
    const program = {
      name: 'EmbeddingGrad',
      inputs: { dy, plan: gpu.upload(plan) },
      shape,
      ints: { width, numIds },
      lanes,
      groups: numIds,
      code: () => `
        fn main(index : i32) {
          let place = index / LANES;
          if (place >= uniforms.numIds) { return; }
          let row = plan[place] * uniforms.width;
          let last = plan[uniforms.numIds + place + 1];
          for (var column = index % LANES; column < uniforms.width; column += LANES) {
            var sum = 0.0;
            for (var at = plan[uniforms.numIds + place]; at < last; at++) {
              sum += dy[plan[at] * uniforms.width + column];
            }
            result[row + column] = sum;
          }
        }`,
    };
    return gpu.run(program, sums);
  },
  [
    {
      inputs: { dy: repeated([3, 2], [1, 2, 3, 4, 5, 6]) },
      attrs: { ids: Int32Array.of(2, 0, 2), vocabSize: 3 },
      expected: [[3, 4, 0, 0, 6, 8]],
    },
  ],
);

/**
 * The ids that occur, then where each one's tokens begin and the last one's end, then the tokens in that order. The
 * places are counted from the beginning of the whole.
 */
function planOf(ids: Int32Array): { plan: Int32Array; numIds: number } {
  const tokens = Int32Array.from(ids.keys()).sort((a, b) => ids[a]! - ids[b]! || a - b);
  const firsts = [...tokens.keys()].filter((at) => at === 0 || ids[tokens[at]!] !== ids[tokens[at - 1]!]);
  const numIds = firsts.length;
  const begin = 2 * numIds + 1;
  const plan = Int32Array.from([
    ...firsts.map((at) => ids[tokens[at]!]!),
    ...firsts.map((at) => begin + at),
    begin + tokens.length,
    ...tokens,
  ]);
  return { plan, numIds };
}
