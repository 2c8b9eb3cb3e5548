import type { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { type TensorInfo, UnsortedSegmentSum, type UnsortedSegmentSumAttrs } from '@tensorflow/tfjs-core';
import { attrsOf, type KernelFix } from './fix';
import { cpuMemory, type HostMemory, wasmMemory } from './host-arrays';

/**
 * `out[ids[i]] += x[i]` for rows `x: float32[N, …]` and `ids: int32[N]`; ids outside `[0, numSegments)` are dropped.
 * It is the gradient of `gather`, and so of every embedding.
 */
function unsortedSegmentSum(
  memory: HostMemory,
  x: TensorInfo,
  segmentIds: TensorInfo,
  numSegments: number,
): TensorInfo {
  const idAxes = segmentIds.shape.length;
  const rowShape = x.shape.slice(idAxes);
  const rowSize = rowShape.reduce((product, n) => product * n, 1);
  const output = memory.allocate([numSegments, ...rowShape], x.dtype);
  const [sums, values, ids] = [memory.view(output), memory.view(x), memory.view(segmentIds)];
  sums.fill(0);
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row]!;
    if (id < 0 || id >= numSegments) continue;
    const [from, to] = [row * rowSize, id * rowSize];
    for (let i = 0; i < rowSize; i++) sums[to + i]! += values[from + i]!;
  }
  return output;
}

/** wasm has no such kernel; cpu's runs over the whole input once per segment, so once per word of a vocabulary. */
export const unsortedSegmentSumFix: KernelFix = {
  kernelName: UnsortedSegmentSum,
  backends: ['wasm', 'cpu'],
  reason: 'missing on wasm, one pass per segment on cpu: the gradient of gather and of embeddings',
  create: (_stock, name) => (params) => {
    const { x, segmentIds } = params.inputs;
    const { numSegments } = attrsOf<UnsortedSegmentSumAttrs>(params);
    const memory =
      name === 'wasm'
        ? wasmMemory(params.backend as BackendWasm)
        : cpuMemory(params.backend as MathBackendCPU);
    return unsortedSegmentSum(memory, x!, segmentIds!, numSegments);
  },
};
