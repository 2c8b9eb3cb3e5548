import * as tf from '@tensorflow/tfjs-core';
import { ShapeError, WeightError } from './errors';
import type { Initializer } from './initializers';
import type { Random } from './random';

const marker = Symbol.for('mmllm.parameter');

export interface ParameterOptions {
  initializer: Initializer;
  /** Whether weight decay applies. Default: for two and more dimensions, so not for norms and biases. */
  decay?: boolean;
}

/**
 * One named array of weights. Born shape-only: it takes no memory until it is initialised or loaded, so the
 * largest model can be described and counted anywhere.
 */
export class Parameter {
  readonly [marker] = true;
  readonly shape: readonly number[];
  readonly size: number;
  readonly decay: boolean;
  readonly initializer: Initializer;
  /** Where it sits in the model it was composed into, for messages. */
  path = 'parameter';
  private variable: tf.Variable | undefined;

  constructor(shape: readonly number[], { initializer, decay = shape.length >= 2 }: ParameterOptions) {
    for (const dimension of shape) {
      if (!Number.isSafeInteger(dimension) || dimension <= 0) {
        throw new ShapeError({
          component: 'parameter',
          expected: 'positive integer sizes',
          actual: `[${shape.join(', ')}]`,
        });
      }
    }
    this.shape = [...shape];
    this.size = shape.reduce((product, dimension) => product * dimension, 1);
    this.initializer = initializer;
    this.decay = decay;
  }

  static isInstance(value: unknown): value is Parameter {
    return typeof value === 'object' && value !== null && marker in value;
  }

  /** True once it holds values. */
  get ready(): boolean {
    return this.variable !== undefined;
  }

  /**
   * The values, float32 of `shape`. Owned by the parameter: never dispose it.
   * @throws WeightError before initialisation or loading.
   */
  get value(): tf.Variable {
    if (!this.variable) {
      throw new WeightError({
        component: this.path,
        expected: 'weights that were initialised or loaded',
        actual: `a shape-only parameter float32[${this.shape.join(', ')}]`,
        hint: 'Call initialize() or load a checkpoint first.',
      });
    }
    return this.variable;
  }

  initialize(random: Random): void {
    this.assign(this.initializer(this.size, random));
  }

  /**
   * Sets the values. A tensor stays the caller's; an array is copied.
   * @throws ShapeError if the number of values or the shape differs.
   */
  assign(values: Float32Array | tf.Tensor): void {
    const shape = values instanceof Float32Array ? [values.length] : values.shape;
    const fits =
      values instanceof Float32Array
        ? values.length === this.size
        : tf.util.arraysEqual(shape, [...this.shape]);
    if (!fits) {
      throw new ShapeError({
        component: this.path,
        expected: `float32[${this.shape.join(', ')}]`,
        actual: `[${shape.join(', ')}]`,
      });
    }
    // tf.variable takes over a reference of its own to the data; the tensor made here is disposed by tidy.
    tf.tidy(() => {
      const tensor =
        values instanceof Float32Array ? tf.tensor(values.slice(), [...this.shape], 'float32') : values;
      if (this.variable) this.variable.assign(tensor);
      else this.variable = tf.variable(tensor);
    });
  }

  /** A copy of the values on the host. */
  async read(): Promise<Float32Array> {
    return (await this.value.data<'float32'>()).slice();
  }

  /** Frees the memory; the parameter is shape-only again. */
  dispose(): void {
    this.variable?.dispose();
    this.variable = undefined;
  }
}
