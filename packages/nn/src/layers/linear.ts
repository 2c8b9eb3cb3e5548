import { type Initializer, Module, normal, Parameter, ShapeError, type WeightType, zeros } from '@mmllm/core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { type LinearOptions, linear, linears, weightFormat } from '../ops';
import type { HoldsWeight } from './hold-weights';

export interface LinearLayerOptions {
  /** Default true. */
  bias?: boolean;
  /** Of the weight. Default normal(0.02). */
  initializer?: Initializer;
}

/** `y = activation(x · W + b) + residual`. The weight is held as [inputSize, outputSize], the layout of the plain product. */
export class Linear extends Module implements HoldsWeight {
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
    this.checkWidth(x);
    return linear(x, this.weight.held ?? this.weight.value, { bias: this.bias?.value, ...options });
  }

  /** @throws ShapeError for an input of another width. */
  checkWidth(x: Tensor): void {
    const width = x.shape[x.rank - 1];
    if (width !== this.inputSize) {
      throw new ShapeError({
        component: this.weight.path,
        expected: `float32[…, ${this.inputSize}]`,
        actual: `[${x.shape.join(', ')}]`,
      });
    }
  }

  /** Holds the weight, not the bias, as another type: see `holdWeights`. */
  hold(type: WeightType): Promise<void> {
    return this.weight.hold(weightFormat(type, 0));
  }
}

/** What each of the layers makes of one input; layers of this class all at once, if no gradient is recorded. */
export function forwardEach<T extends Tensor>(layers: readonly Linear[], x: T): T[] {
  if (!layers.every(isOurs)) return layers.map((layer) => layer.forward(x));
  for (const layer of layers) layer.checkWidth(x);
  return linears(
    x,
    layers.map(({ weight, bias }) => ({ weight: weight.held ?? weight.value, bias: bias?.value })),
  );
}

/** Not one that stands in for it and computes something else. */
const isOurs = ({ forward }: Linear): boolean => forward === Linear.prototype.forward;
