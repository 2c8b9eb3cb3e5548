import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { changesOf } from './changed';
import { type Exports, type Heap, heapOf } from './side-module';

/** A right side of products, float32[K, N], or transposed [N, K]. */
export interface RightSide {
  readonly dataId: object;
  readonly address: number;
  readonly n: number;
  readonly k: number;
  readonly transpose: boolean;
}

/** Where a right side lies, and how: 0 as [K, N], 1 as [N, K], 2 in packed panels. */
export interface Right {
  readonly address: number;
  readonly layout: 0 | 1 | 2;
}

interface Entry {
  /** The state of the data that was seen or packed. */
  readonly changes: number;
  /** 0: seen once, and not packed yet. */
  readonly packedAt: number;
  readonly bytes: number;
}

/** For each way to lie, what is known about one tensor's data. */
type Entries = [plain?: Entry, transposed?: Entry];

/** With fewer rows on the left a side is read where it lies, once. */
const FEW_ROWS = 12;
/** Beside more rows than this, packing costs little. */
const MANY_ROWS = 96;
/** A smaller one is packed in no time. */
const SMALL = 2 ** 14;
/** For all copies together; a memory of wasm holds 4 GiB. */
const BUDGET = 2 ** 29;

/**
 * Weights that come again unchanged, as frozen ones do, are packed once and the packed copy is kept, from their second
 * use on: that use packs them in any case. A copy goes with its data, or when the data changes.
 */
export class PackedWeights {
  readonly #known = new WeakMap<object, Entries>();
  readonly #heap: Heap;
  readonly #kernels: Exports;
  #bytes = 0;

  constructor(heap: Heap, kernels: Exports) {
    this.#heap = heap;
    this.#kernels = kernels;
  }

  /** Bytes of all copies. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What a product with `rows` rows on its left should read. */
  find(side: RightSide, rows: number): Right {
    const asItLies: Right = { address: side.address, layout: side.transpose ? 1 : 0 };
    if (rows <= FEW_ROWS || rows > MANY_ROWS || side.n * side.k < SMALL) return asItLies;
    const entries = this.#known.get(side.dataId) ?? [];
    this.#known.set(side.dataId, entries);
    const place = side.transpose ? 1 : 0;
    const changes = changesOf(side.dataId);
    const known = entries[place];
    if (known && known.changes !== changes) this.#free(known);
    if (known?.changes === changes) {
      const packed = known.packedAt ? known : this.#pack(side, changes);
      if (!packed) return asItLies;
      entries[place] = packed;
      return { address: packed.packedAt, layout: 2 };
    }
    entries[place] = { changes, packedAt: 0, bytes: 0 };
    return asItLies;
  }

  /** Frees the copies of data that is gone. */
  forget(dataId: object): void {
    for (const entry of this.#known.get(dataId) ?? []) if (entry) this.#free(entry);
    this.#known.delete(dataId);
  }

  #pack({ address, n, k, transpose }: RightSide, changes: number): Entry | undefined {
    // Unsigned: from 2 GB on it comes out negative.
    const bytes = this.#kernels.packedBytes(n, k) >>> 0;
    if (this.#bytes + bytes > BUDGET) return undefined;
    const packedAt = this.#heap.malloc(bytes);
    if (packedAt === 0) return undefined;
    this.#kernels.packRight(packedAt, address, Number(transpose), n, k);
    this.#bytes += bytes;
    return { changes, packedAt, bytes };
  }

  #free({ packedAt, bytes }: Entry): void {
    if (packedAt) this.#heap.free(packedAt);
    this.#bytes -= bytes;
  }
}

const ofBackend = new WeakMap<BackendWasm, PackedWeights>();

/** The packed copies that belong to a backend; from the first call on, they go with the data they were made of. */
export function packedWeights(backend: BackendWasm, kernels: Exports): PackedWeights {
  const known = ofBackend.get(backend);
  if (known) return known;
  const weights = new PackedWeights(heapOf(backend), kernels);
  ofBackend.set(backend, weights);
  const disposeData = backend.disposeData;
  backend.disposeData = function (dataId, force) {
    const isGone = disposeData.call(this, dataId, force);
    if (isGone) weights.forget(dataId);
    return isGone;
  };
  return weights;
}
