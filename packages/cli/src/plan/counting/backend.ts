import * as tf from '@tensorflow/tfjs-core';
import { Meter } from './meter';

interface Data {
  readonly size: number;
  readonly dtype: tf.DataType;
  readonly bytes: number;
  references: number;
}

/**
 * A backend of tfjs that holds no data: a tensor is its shape and its type, whatever is read is zeros. It knows how many
 * bytes there would be, which is all that a plan asks.
 */
export class CountingBackend extends tf.KernelBackend {
  /** Of all data that is there, each once, however many tensors show it. */
  bytes = 0;
  readonly meter = new Meter(() => this.bytes);
  readonly #data = new Map<object, Data>();

  /** New data. */
  make(shape: readonly number[], dtype: tf.DataType): tf.TensorInfo {
    const dataId = {};
    this.#add(dataId, shape, dtype, 1);
    return { dataId, shape: [...shape], dtype };
  }

  /** The data of a tensor once more, as a tensor of another shape maybe. */
  share({ dataId, dtype }: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
    this.incRef(dataId);
    return { dataId, shape: [...shape], dtype };
  }

  override write(_values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    return this.make(shape, dtype).dataId;
  }

  override move(
    dataId: object,
    _values: tf.BackendValues,
    shape: number[],
    dtype: tf.DataType,
    references: number,
  ): void {
    this.#add(dataId, shape, dtype, references);
  }

  override async read(dataId: object): Promise<tf.BackendValues> {
    return this.readSync(dataId);
  }

  override readSync(dataId: object): tf.BackendValues {
    const { size, dtype } = this.#of(dataId);
    if (dtype === 'bool') return new Uint8Array(size);
    return dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
  }

  override incRef(dataId: object): void {
    this.#of(dataId).references++;
  }

  override refCount(dataId: object): number {
    return this.#data.get(dataId)?.references ?? 0;
  }

  override disposeData(dataId: object, force = false): boolean {
    const data = this.#data.get(dataId);
    if (!data) return true;
    data.references--;
    if (data.references > 0 && !force) return false;
    this.#data.delete(dataId);
    this.bytes -= data.bytes;
    return true;
  }

  override numDataIds(): number {
    return this.#data.size;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {
    this.#data.clear();
    this.bytes = 0;
  }

  #add(dataId: object, shape: readonly number[], dtype: tf.DataType, references: number): void {
    const size = tf.util.sizeFromShape([...shape]);
    const bytes = size * tf.util.bytesPerElement(dtype);
    this.#data.set(dataId, { size, dtype, bytes, references });
    this.bytes += bytes;
    this.meter.look(bytes);
  }

  #of(dataId: object): Data {
    const data = this.#data.get(dataId);
    if (!data) throw new Error('data of another backend, or that was disposed of');
    return data;
  }
}
