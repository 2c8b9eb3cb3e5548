import * as tf from '@tensorflow/tfjs-core';
import { HostWriter } from './host-writer';
import { type GroupedPiece, isGroupedPiece, type WeightPiece, widen } from './piece';
import type { WeightWriter, WriterOptions } from './writer';

/**
 * A kernel that a backend may register to take pieces into a tensor's own memory: inputs `{ into? }`, the tensor as it
 * is so far, and attributes `WriteAttrs`. It gives the same data again, or at first a new tensor of any content.
 */
const WRITE_WEIGHT = 'mmllm/WriteWeight';

/** What the kernel takes: groups are widened before. */
type FloatPiece = Exclude<WeightPiece, GroupedPiece>;

interface WriteAttrs {
  readonly shape: readonly number[];
  readonly turned: boolean;
  /** Numbers that are there already. */
  readonly at: number;
  readonly type: FloatPiece['type'];
  readonly values: FloatPiece['values'];
}

const toFloats = (piece: WeightPiece): FloatPiece =>
  isGroupedPiece(piece) ? { type: 'float32', values: widen(piece) } : piece;

/** Writes by the backend's kernel. */
class KernelWriter implements WeightWriter<tf.Tensor> {
  readonly #shape: readonly number[];
  readonly #turned: boolean;
  #tensor: tf.Tensor | undefined;
  #at = 0;

  constructor(shape: readonly number[], { turned = false }: WriterOptions) {
    this.#shape = shape;
    this.#turned = turned;
  }

  write(piece: WeightPiece): void {
    const { type, values } = toFloats(piece);
    const before = this.#tensor;
    const attrs: WriteAttrs = { shape: this.#shape, turned: this.#turned, at: this.#at, type, values };
    // tfjs types attributes as JSON; it hands them to the kernel untouched.
    const given = attrs as unknown as tf.NamedAttrMap;
    const inputs: tf.NamedTensorMap = before ? { into: before } : {};
    this.#tensor = tf.keep(tf.engine().runKernel<tf.Tensor>(WRITE_WEIGHT, inputs, given));
    before?.dispose();
    this.#at += values.length;
  }

  finish(): tf.Tensor {
    const tensor = this.#tensor!;
    this.#tensor = undefined;
    return tensor;
  }

  dispose(): void {
    this.#tensor?.dispose();
    this.#tensor = undefined;
  }
}

/** Makes a float32 tensor of a shape on the current backend. It does not check how many numbers come. */
export function tensorWriter(shape: readonly number[], options: WriterOptions): WeightWriter<tf.Tensor> {
  if (!tf.getBackend()) tf.backend();
  if (tf.getKernel(WRITE_WEIGHT, tf.getBackend())) return new KernelWriter(shape, options);
  const host = new HostWriter(shape, options);
  return {
    write: (piece) => host.write(piece),
    finish: () => tf.keep(tf.tensor(host.finish(), [...shape], 'float32')),
    dispose: () => host.dispose(),
  };
}
