import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { backend_util, GatherV2, type GatherV2Attrs, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { attrsOf, type KernelFix } from './fix';
import { type HostMemory, wasmMemory } from './host-arrays';

/** `out[b, o, i, :] = x[b, o, indices[b, i], :]`, where the leading `batchDims` axes make up `b`. */
function gather(
  memory: HostMemory,
  x: TensorInfo,
  indices: TensorInfo,
  axis: number,
  batchDims: number,
): TensorInfo {
  const { batchSize, outerSize, dimSize, sliceSize, outputShape } =
    backend_util.segment_util.collectGatherOpShapeInfo(x, indices, axis, batchDims);
  const output = memory.allocate(outputShape, x.dtype);
  const [gathered, values, picks] = [memory.view(output), memory.view(x), memory.view(indices)];
  const numPicks = picks.length / batchSize;
  let to = 0;
  for (let batch = 0; batch < batchSize; batch++) {
    for (let outer = 0; outer < outerSize; outer++) {
      const block = (batch * outerSize + outer) * dimSize;
      for (let i = 0; i < numPicks; i++) {
        const pick = picks[batch * numPicks + i]!;
        util.assert(
          pick >= 0 && pick < dimSize,
          () => `GatherV2: the index value ${pick} is not in [0, ${dimSize - 1}]`,
        );
        const from = (block + pick) * sliceSize;
        gathered.set(values.subarray(from, from + sliceSize), to);
        to += sliceSize;
      }
    }
  }
  return output;
}

/** The stock kernel counts the batch axis twice, and takes about 100 ns for each value where a copy of rows takes one. */
export const gatherFix: KernelFix = {
  kernelName: GatherV2,
  backends: ['wasm'],
  reason: 'with batchDims above 0 the stock kernel reads other memory, and it copies value by value',
  create: (stock) => (params) => {
    const { axis, batchDims = 0 } = attrsOf<GatherV2Attrs>(params);
    const { x, indices } = params.inputs;
    if (x!.dtype === 'string') return stock(params);
    const positiveAxis = util.parseAxisParam(axis, x!.shape)[0]!;
    return gather(wasmMemory(params.backend as BackendWasm), x!, indices!, positiveAxis, batchDims);
  },
};
