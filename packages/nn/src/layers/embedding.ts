import { type Initializer, Module, normal, Parameter, type TokenIds, type WeightType } from '@mmllm/core';
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import { embedding, unembed, weightFormat } from '../ops';
import type { HoldsWeight } from './hold-weights';

/** A table of vectors, one for each id. */
export class Embedding extends Module implements HoldsWeight {
  /** float32[count, size] */
  readonly weight: Parameter;

  constructor(count: number, size: number, initializer: Initializer = normal(0.02)) {
    super();
    this.weight = new Parameter([count, size], { initializer });
  }

  /** int32[B, T] to float32[B, T, size]; @throws ConfigError for an id outside the table. */
  forward({ data, shape }: TokenIds): Tensor3D {
    return embedding(this.weight.held ?? this.weight.value, data, shape) as Tensor3D;
  }

  /** The products of float32[…, size] with all vectors of the table, float32[…, count]: the head of a decoder that ties it. */
  unembed(x: Tensor): Tensor {
    return unembed(x, this.weight.held ?? this.weight.value);
  }

  /** Holds the table as another type: see `holdWeights`. */
  hold(type: WeightType): Promise<void> {
    return this.weight.hold(weightFormat(type, 1));
  }
}
