import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { Tile, type TileAttrs } from '@tensorflow/tfjs-core';
import { attrsOf, type KernelFix } from './fix';
import { type HostArray, wasmMemory } from './host-arrays';

/** Writes the tiling of a row-major array, outermost axis first; whole blocks are copied at once. */
function tileInto(to: HostArray, from: HostArray, shape: readonly number[], reps: readonly number[]): void {
  let read = 0;
  let written = 0;
  const repeat = (start: number, count: number) => {
    const block = written - start;
    if (block === 1) {
      to.fill(to[start]!, written, start + count);
      written = start + count;
      return;
    }
    for (let i = 1; i < count; i++) {
      to.copyWithin(written, start, start + block);
      written += block;
    }
  };
  const tileAxis = (axis: number) => {
    const start = written;
    if (axis >= shape.length - 1) {
      const size = shape[axis] ?? 1;
      to.set(from.subarray(read, read + size), written);
      read += size;
      written += size;
    } else {
      for (let i = 0; i < shape[axis]!; i++) tileAxis(axis + 1);
    }
    repeat(start, reps[axis] ?? 1);
  };
  if (to.length > 0) tileAxis(0);
}

/** `broadcastTo` is a tile as well. */
export const tileFix: KernelFix = {
  kernelName: Tile,
  backends: ['wasm'],
  reason: 'the stock kernel is a hundred times slower than copying blocks',
  create: () => (params) => {
    const x = params.inputs.x!;
    const { reps } = attrsOf<TileAttrs>(params);
    const memory = wasmMemory(params.backend as BackendWasm);
    const shape = x.shape.map((size, axis) => size * reps[axis]!);
    const output = memory.allocate(shape, x.dtype);
    tileInto(memory.view(output), memory.view(x), x.shape, reps);
    return output;
  },
};
