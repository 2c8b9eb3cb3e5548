import { type Initializer, Module, normal, Parameter, ShapeError, zeros } from '@mmllm/core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Activation, linear } from '../ops';

export interface LinearOptions {
  /** Default true. */
  bias?: boolean;
  /** Of the weight. Default normal(0.02). */
  initializer?: Initializer;
}

/** `y = activation(x · W + b)`. The weight is held as [inputSize, outputSize], the layout of the plain product. */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias?: Parameter;

  constructor(
    readonly inputSize: number,
    readonly outputSize: number,
    { bias = true, initializer = normal(0.02) }: LinearOptions = {},
  ) {
    super();
    this.weight = new Parameter([inputSize, outputSize], { initializer });
    if (bias) this.bias = new Parameter([outputSize], { initializer: zeros });
  }

  /** float32[…, inputSize] to float32[…, outputSize]; @throws ShapeError for another width. */
  forward<T extends Tensor>(x: T, activation?: Activation): T {
    const width = x.shape[x.rank - 1];
    if (width !== this.inputSize) {
      throw new ShapeError({
        component: this.weight.path,
        expected: `float32[…, ${this.inputSize}]`,
        actual: `[${x.shape.join(', ')}]`,
      });
    }
    return linear(x, this.weight.value, this.bias?.value, activation) as T;
  }
}
