import { type Decoder, type KeyValueCache, ShapeError } from '@mmllm/core';
import type { KeyValues, LayerCache } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Keys and values of one decoder's layers: float32[batch, length, numKeyValueHeads · headSize] each.
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
    this.#layers.forEach((held, layer) => {
      // A forward pass that failed half-way leaves some layers longer than `length`, which the caller takes back.
      if (held && held.k.shape[1] > length) {
        const [batch] = held.k.shape;
        const head = (x: tf.Tensor3D) => tf.slice(x, [0, 0, 0], [batch, length, x.shape[2]]);
        this.#replace(layer, length === 0 ? undefined : { k: head(held.k), v: head(held.v) });
      }
    });
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
    // A clone shares the memory, and has a lifetime of its own.
    const all = held
      ? { k: tf.concat([held.k, next.k], 1), v: tf.concat([held.v, next.v], 1) }
      : { k: tf.clone(next.k), v: tf.clone(next.v) };
    this.#replace(layer, all);
    return all;
  }

  #replace(layer: number, next: KeyValues | undefined): void {
    const held = this.#layers[layer];
    if (next) this.#layers[layer] = { k: tf.keep(next.k), v: tf.keep(next.v) };
    else this.#layers[layer] = undefined;
    held?.k.dispose();
    held?.v.dispose();
  }
}
