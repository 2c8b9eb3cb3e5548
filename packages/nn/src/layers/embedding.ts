import { type Initializer, Module, normal, Parameter, type TokenIds } from '@mmllm/core';
import type { Tensor3D } from '@tensorflow/tfjs-core';
import { embedding } from '../ops';

/** A table of vectors, one for each id. */
export class Embedding extends Module {
  /** float32[count, size] */
  readonly weight: Parameter;

  constructor(count: number, size: number, initializer: Initializer = normal(0.02)) {
    super();
    this.weight = new Parameter([count, size], { initializer });
  }

  /** int32[B, T] to float32[B, T, size]; @throws ConfigError for an id outside the table. */
  forward({ data, shape }: TokenIds): Tensor3D {
    return embedding(this.weight.value, data, shape) as Tensor3D;
  }
}
