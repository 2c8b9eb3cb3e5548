import { type Decoder, type KeyValueCache, ShapeError } from '@mmllm/core';
import { cacheAppend, type KeyValues, type LayerCache } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';

/** Fewer rows than these are not worth growing by. */
const LEAST_ROWS = 64;

/**
 * Keys and values of one decoder's layers: float32[batch, rows, numKeyValueHeads · headSize] each, of which the first
 * `length` rows count. There is room behind them, at most `capacity`, into which new ones are written in place.
 *
 * Its tensors belong to no tidy scope: they live until they are replaced or disposed of here.
 */
export class TensorCache implements KeyValueCache {
  readonly #owner: Decoder;
  readonly #layers: (KeyValues | undefined)[];
  #length = 0;

  constructor(
    owner: Decoder,
    readonly batch: number,
    readonly capacity: number,
  ) {
    this.#owner = owner;
    this.#layers = new Array(owner.numLayers).fill(undefined);
  }

  /**
   * The cache behind the contract, if it is one of this decoder and for this batch size.
   * @throws ShapeError otherwise.
   */
  static of(cache: KeyValueCache, owner: Decoder, batch: number): TensorCache {
    const component = `decoder '${owner.name}'`;
    if (!(cache instanceof TensorCache) || cache.#owner !== owner) {
      throw new ShapeError({ component, expected: 'a cache of its own', actual: 'one of another decoder' });
    }
    if (cache.batch !== batch) {
      throw new ShapeError({
        component,
        expected: `a cache for ${batch} sequences`,
        actual: `one for ${cache.batch}`,
      });
    }
    return cache;
  }

  get length(): number {
    return this.#length;
  }

  /** What one layer's attention appends to. `length` changes only when all layers have, by `advance`. */
  layer(index: number): LayerCache {
    return { append: (next) => this.#append(index, next) };
  }

  /** Counts tokens that every layer has appended. */
  advance(count: number): void {
    this.#length += count;
  }

  crop(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.#length) {
      throw new ShapeError({
        component: 'key-value cache',
        expected: `a length from 0 to ${this.#length}`,
        actual: `${length}`,
      });
    }
    // What stands behind it, also from a pass that failed half-way, will be overwritten.
    this.#length = length;
  }

  select(rows: readonly number[]): TensorCache {
    for (const row of rows) {
      if (!Number.isInteger(row) || row < 0 || row >= this.batch) {
        throw new ShapeError({
          component: 'key-value cache',
          expected: `rows from 0 to ${this.batch - 1}`,
          actual: `${row}`,
        });
      }
    }
    const selected = new TensorCache(this.#owner, rows.length, this.capacity);
    tf.tidy(() => {
      const index = tf.tensor1d([...rows], 'int32');
      this.#layers.forEach((held, layer) => {
        if (held) selected.#replace(layer, { k: tf.gather(held.k, index), v: tf.gather(held.v, index) });
      });
    });
    selected.#length = this.#length;
    return selected;
  }

  dispose(): void {
    this.#layers.forEach((_, layer) => {
      this.#replace(layer, undefined);
    });
    this.#length = 0;
  }

  #append(layer: number, next: KeyValues): KeyValues {
    const held = this.#layers[layer];
    const all = tf.tidy(() => ({ k: this.#with(held?.k, next.k), v: this.#with(held?.v, next.v) }));
    this.#replace(layer, all);
    return { ...all, numKeys: this.#length + next.k.shape[1] };
  }

  /** The first `length` rows of `held`, then `next`, then room. */
  #with(held: tf.Tensor3D | undefined, next: tf.Tensor3D): tf.Tensor3D {
    const [batch, count, width] = next.shape;
    const end = this.#length + count;
    if (held && held.shape[1] >= end) return cacheAppend(held, next, this.#length);
    const rows = Math.min(Math.max(2 * end, LEAST_ROWS), this.capacity);
    const room = tf.zeros<tf.Rank.R3>([batch, rows - this.#length, width]);
    const before = held && tf.slice(held, [0, 0, 0], [batch, this.#length, width]);
    return cacheAppend(before ? tf.concat([before, room], 1) : room, next, this.#length);
  }

  #replace(layer: number, next: KeyValues | undefined): void {
    const held = this.#layers[layer];
    if (next) this.#layers[layer] = { k: tf.keep(next.k), v: tf.keep(next.v) };
    else this.#layers[layer] = undefined;
    held?.k.dispose();
    held?.v.dispose();
  }
}
