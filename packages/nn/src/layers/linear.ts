import { type Initializer, Module, normal, Parameter, ShapeError, zeros } from '@mmllm/core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { type LinearOptions, linear } from '../ops';

export interface LinearLayerOptions {
  /** Default true. */
  bias?: boolean;
  /** Of the weight. Default normal(0.02). */
  initializer?: Initializer;
}

/** `y = activation(x · W + b) + residual`. The weight is held as [inputSize, outputSize], the layout of the plain product. */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias?: Parameter;

  constructor(
    readonly inputSize: number,
    readonly outputSize: number,
    { bias = true, initializer = normal(0.02) }: LinearLayerOptions = {},
  ) {
    super();
    this.weight = new Parameter([inputSize, outputSize], { initializer });
    if (bias) this.bias = new Parameter([outputSize], { initializer: zeros });
  }

  /**
   * float32[…, inputSize] to float32[…, outputSize].
   *
   * @param options.residual float32[…, outputSize], added last
   * @throws ShapeError for another width.
   */
  forward<T extends Tensor>(x: T, options: Omit<LinearOptions, 'bias'> = {}): T {
    const width = x.shape[x.rank - 1];
    if (width !== this.inputSize) {
      throw new ShapeError({
        component: this.weight.path,
        expected: `float32[…, ${this.inputSize}]`,
        actual: `[${x.shape.join(', ')}]`,
      });
    }
    return linear(x, this.weight.value, { bias: this.bias?.value, ...options });
  }
}
