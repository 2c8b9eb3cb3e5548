import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { util } from '@tensorflow/tfjs-core';

/** How often the data behind a data id was changed where it lies. */
const changes = new WeakMap<object, number>();

/** To be called by whatever changes the data of a tensor in place: copies made of it are outdated. */
export function markChanged({ dataIdMap, wasm }: BackendWasm, dataId: object): void {
  changes.set(dataId, changesOf(dataId) + 1);
  // Stock products keep their right side packed, by the number of its tensor, until that is disposed of.
  const { id, memoryOffset, shape } = dataIdMap.get(dataId);
  wasm.tfjs.disposeData(id);
  wasm.tfjs.registerTensor(id, util.sizeFromShape(shape), memoryOffset);
}

/** A number that differs whenever the data was changed in between, for who keeps something made from it. */
export const changesOf = (dataId: object): number => changes.get(dataId) ?? 0;
