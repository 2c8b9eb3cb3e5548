import {
  CACHE_TYPES,
  type CacheOptions,
  type CacheType,
  ContextLengthError,
  type Decoder,
  type KeyValueCache,
  parseConfig,
  ShapeError,
  sizeSchema,
} from '@mmllm/core';
import { cacheAppend, cacheRows, type KeyValues, type LayerCache, quantizeRows } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { rowsWithRoom } from './cache-growth';
import { SharedTokens } from './shared-tokens';

const component = 'key-value cache';

const schema = z.strictObject({
  batch: sizeSchema,
  capacity: sizeSchema.optional(),
  type: z.enum(CACHE_TYPES).default('float32'),
});

/** How a cache is made: `rows` are made at once; without, they grow by blocks. */
interface TensorCacheOptions {
  readonly batch: number;
  readonly capacity: number;
  readonly type: CacheType;
  readonly rows?: number;
}

/**
 * Keys and values of one decoder's layers: float32[batch, rows, numKeyValueHeads · headSize] each, or what
 * `quantizeRows` makes of it, of which the first `length` rows count. There is room behind them, at most `capacity`,
 * into which new ones are written in place.
 *
 * Its tensors belong to no tidy scope: they live until they are replaced or disposed of here.
 */
export class TensorCache implements KeyValueCache {
  readonly batch: number;
  readonly capacity: number;
  readonly type: CacheType;
  readonly #owner: Decoder;
  readonly #options: TensorCacheOptions;
  readonly #layers: (KeyValues | undefined)[];
  #length = 0;
  #shared: SharedTokens;

  private constructor(owner: Decoder, options: TensorCacheOptions) {
    this.#owner = owner;
    this.#options = options;
    this.batch = options.batch;
    this.capacity = options.capacity;
    this.type = options.type;
    this.#layers = new Array(owner.numLayers).fill(undefined);
    this.#shared = SharedTokens.none(options.batch);
  }

  /** @throws ContextLengthError, ConfigError as `Decoder.createCache` says. */
  static create(owner: Decoder, batch: number, options: CacheOptions = {}): TensorCache {
    const name = `decoder '${owner.name}'`;
    const { capacity = owner.maxLength, ...rest } = parseConfig(`${name}.createCache`, schema, {
      batch,
      ...options,
    });
    if (capacity > owner.maxLength) {
      throw new ContextLengthError({
        component: name,
        expected: `a cache of at most ${owner.maxLength} tokens`,
        actual: `${capacity}`,
      });
    }
    return new TensorCache(owner, { ...rest, capacity, rows: options.capacity });
  }

  /**
   * The cache behind the contract, if it is one of this decoder and for this batch size.
   * @throws ShapeError otherwise.
   */
  static of(cache: KeyValueCache, owner: Decoder, batch: number): TensorCache {
    const name = `decoder '${owner.name}'`;
    if (!(cache instanceof TensorCache) || cache.#owner !== owner) {
      const other = cache instanceof TensorCache ? `, '${cache.#owner.name}'` : '';
      throw new ShapeError({
        component: name,
        expected: 'a cache of its own',
        actual: `one of another decoder${other}`,
      });
    }
    if (cache.batch !== batch) {
      throw new ShapeError({
        component: name,
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
        component,
        expected: `a length from 0 to ${this.#length}`,
        actual: `${length}`,
      });
    }
    // What stands behind it, also from a pass that failed half-way, will be overwritten.
    this.#length = length;
    this.#shared = this.#shared.crop(length);
  }

  select(rows: readonly number[]): TensorCache {
    this.#checkRows(rows);
    const selected = new TensorCache(this.#owner, { ...this.#options, batch: rows.length });
    if (this.#length === 0) return selected;
    try {
      const all = { samples: rows, from: 0, count: this.#length };
      this.#changeAll((x) => cacheRows(x, { ...all, rows: x.shape[1] }), selected);
    } catch (error) {
      selected.dispose();
      throw error;
    }
    selected.#length = this.#length;
    selected.#shared = this.#shared.select(rows, this.#length);
    return selected;
  }

  reorder(rows: readonly number[]): void {
    this.#checkRows(rows);
    if (rows.length !== this.batch) {
      throw new ShapeError({ component, expected: `${this.batch} rows`, actual: `${rows.length}` });
    }
    const from = this.#shared.firstDifference(rows, this.#length);
    const count = this.#length - from;
    if (count > 0) {
      this.#changeAll((x) => cacheAppend(x, cacheRows(x, { samples: rows, from, count }), from));
    }
    this.#shared = this.#shared.select(rows, this.#length);
  }

  dispose(): void {
    this.#layers.forEach((_, layer) => {
      this.#replace(layer, undefined);
    });
    this.#length = 0;
    this.#shared = SharedTokens.none(this.batch);
  }

  #checkRows(rows: readonly number[]): void {
    const isRow = (row: number) => Number.isInteger(row) && row >= 0 && row < this.batch;
    if (rows.length > 0 && rows.every(isRow)) return;
    throw new ShapeError({
      component,
      expected: `rows from 0 to ${this.batch - 1}`,
      actual: rows.length > 0 ? `${rows.find((row) => !isRow(row))}` : 'none',
    });
  }

  /** Puts what `change` makes of keys and values into `target`, one layer after the other. */
  #changeAll(change: (x: tf.Tensor3D) => tf.Tensor3D, target: TensorCache = this): void {
    tf.tidy(() => {
      this.#layers.forEach((held, layer) => {
        if (!held) return;
        const changed = tf.tidy(() => ({ k: change(held.k), v: change(held.v) }));
        target.#replace(layer, changed);
      });
    });
  }

  #append(layer: number, next: KeyValues): KeyValues {
    const held = this.#layers[layer];
    const all = tf.tidy(() => ({ k: this.#with(held?.k, next.k), v: this.#with(held?.v, next.v) }));
    this.#replace(layer, all);
    return { ...all, numKeys: this.#length + next.k.shape[1] };
  }

  /** The first `length` rows of `held`, then `next`, then room. */
  #with(held: tf.Tensor3D | undefined, next: tf.Tensor3D): tf.Tensor3D {
    const rows = this.type === 'q8' ? quantizeRows(next) : next;
    return cacheAppend(this.#withRoom(held, rows), rows, this.#length);
  }

  /** `held` with room for `next` behind the rows that count. */
  #withRoom(held: tf.Tensor3D | undefined, next: tf.Tensor3D): tf.Tensor3D {
    const [batch, count, width] = next.shape;
    const end = this.#length + count;
    if (held && held.shape[1] >= end) return held;
    const rows = this.#options.rows ?? rowsWithRoom(end, this.capacity);
    if (!held || this.#length === 0) return tf.zeros([batch, rows, width], next.dtype);
    const samples = Array.from({ length: batch }, (_, sample) => sample);
    return cacheRows(held, { samples, from: 0, count: this.#length, rows });
  }

  #replace(layer: number, next: KeyValues | undefined): void {
    const held = this.#layers[layer];
    if (next) this.#layers[layer] = { k: tf.keep(next.k), v: tf.keep(next.v) };
    else this.#layers[layer] = undefined;
    held?.k.dispose();
    held?.v.dispose();
  }
}
