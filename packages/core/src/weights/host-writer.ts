import * as tf from '@tensorflow/tfjs-core';
import { type WeightPiece, widen } from './piece';
import { turnRows } from './turn';
import type { WeightWriter, WriterOptions } from './writer';

/** Gathers the numbers on the host. */
export class HostWriter implements WeightWriter<Float32Array> {
  readonly #shape: readonly number[];
  readonly #turned: boolean;
  #values: Float32Array;
  #at = 0;

  constructor(shape: readonly number[], { turned = false }: WriterOptions) {
    this.#shape = shape;
    this.#turned = turned;
    this.#values = new Float32Array(tf.util.sizeFromShape([...shape]));
  }

  write(piece: WeightPiece): void {
    const values = widen(piece);
    if (this.#turned) {
      const [width, height] = this.#shape as [number, number];
      turnRows(values, width, { into: this.#values, height, first: this.#at / width });
    } else {
      this.#values.set(values, this.#at);
    }
    this.#at += values.length;
  }

  finish(): Float32Array {
    return this.#values;
  }

  dispose(): void {
    this.#values = new Float32Array();
  }
}
