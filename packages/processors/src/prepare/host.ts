import type { PreparedImage } from '@mmllm/core';
import type { HostArray } from '../host-array';
import type { Window } from '../resize/size';

/** All views of all pictures in order, at one size, before they go to a backend. */
export interface HostDense {
  readonly kind: 'dense';
  readonly images: readonly PreparedImage[];
  /** float32[views, height, width, 3] */
  readonly pixels: HostArray<Float32Array, readonly [number, number, number, number]>;
  /** float32[views · patches of a view], as `DenseImages` has it. */
  readonly coverage?: Float32Array;
  /** Where the picture lies in each view, for kinds that say their coverage. */
  readonly content?: readonly Window[];
}

/** Patches of all pictures, before they go to a backend. */
export interface HostPacked {
  readonly kind: 'packed';
  readonly images: readonly PreparedImage[];
  /** float32[patches, frames · patchSize · patchSize · 3], as `PackedImages` has them. */
  readonly patches: HostArray<Float32Array, readonly [number, number]>;
}

export type HostImages = HostDense | HostPacked;
