import * as tf from '@tensorflow/tfjs-core';

/**
 * A WeakMap whose values lie in a field of their keys. tfjs looks up each tensor's data in WeakMaps, whose entries cost
 * more to make, and to collect, than all else that it does for a small tensor.
 */
export class FieldMap<K extends object, V extends object> extends WeakMap<K, V> {
  readonly #field = Symbol();
  readonly #before: WeakMap<K, V>;

  /** @param before what was there already, which is looked at as well. */
  constructor(before: WeakMap<K, V>) {
    super();
    this.#before = before;
  }

  override get(key: K): V | undefined {
    return this.#own(key) ?? this.#before.get(key);
  }

  override has(key: K): boolean {
    return this.#own(key) !== undefined || this.#before.has(key);
  }

  override set(key: K, value: V): this {
    (key as Record<symbol, V | undefined>)[this.#field] = value;
    return this;
  }

  override delete(key: K): boolean {
    const had = this.#own(key) !== undefined;
    if (had) (key as Record<symbol, V | undefined>)[this.#field] = undefined;
    return this.#before.delete(key) || had;
  }

  #own(key: K): V | undefined {
    return (key as Record<symbol, V | undefined>)[this.#field];
  }
}

/** Puts field maps in the place of the WeakMaps that tfjs's engine and its wasm backend look at for every tensor. */
export function useFieldMaps(backend: tf.KernelBackend): void {
  const { state } = tf.engine();
  if (!(state.tensorInfo instanceof FieldMap)) state.tensorInfo = new FieldMap(state.tensorInfo);
  const { dataIdMap } = backend as { dataIdMap?: { data: WeakMap<object, object> } };
  if (dataIdMap && !(dataIdMap.data instanceof FieldMap)) dataIdMap.data = new FieldMap(dataIdMap.data);
}
