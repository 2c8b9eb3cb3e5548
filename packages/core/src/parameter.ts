import * as tf from '@tensorflow/tfjs-core';
import { ShapeError, WeightError } from './errors';
import type { HeldWeight, WeightFormat, WeightType } from './held-weight';
import type { Initializer } from './initializers';
import type { Random } from './random';
import { checkedWriter } from './weights/checked-writer';
import { HostWriter } from './weights/host-writer';
import { tensorWriter } from './weights/tensor-writer';
import type { WeightWriter, WriterOptions } from './weights/writer';

const marker = Symbol.for('mmllm.parameter');

export interface ParameterOptions {
  initializer: Initializer;
  /** Whether weight decay applies. Default: for two and more dimensions, so not for norms and biases. */
  decay?: boolean;
  /** False for what is measured and not learnt, such as running statistics: part of a file, but never trained or counted. Default true. */
  trainable?: boolean;
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
  readonly trainable: boolean;
  readonly initializer: Initializer;
  /** Where it sits in the model it was composed into, for messages. */
  path = 'parameter';
  private variable: tf.Variable | undefined;
  private heldWeight: HeldWeight | undefined;
  private format: WeightFormat | undefined;

  constructor(
    shape: readonly number[],
    { initializer, decay = shape.length >= 2, trainable = true }: ParameterOptions,
  ) {
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
    this.trainable = trainable;
  }

  static isInstance(value: unknown): value is Parameter {
    return typeof value === 'object' && value !== null && marker in value;
  }

  /** True once it holds values. */
  get ready(): boolean {
    return this.variable !== undefined || this.heldWeight !== undefined;
  }

  /** What its values are held as, or will be once they come. */
  get type(): WeightType {
    return this.format?.type ?? 'float32';
  }

  /** The held form; undefined as float32, and before there are values. */
  get held(): HeldWeight | undefined {
    return this.heldWeight;
  }

  /**
   * The values, float32 of `shape`. Owned by the parameter: never dispose it.
   * @throws WeightError before initialisation or loading, and while they are held as another type.
   */
  get value(): tf.Variable {
    if (this.heldWeight) {
      throw new WeightError({
        component: this.path,
        expected: 'float32 weights',
        actual: `weights held as ${this.type}`,
        hint: 'read() gives a copy as float32; hold() without a format goes back to it.',
      });
    }
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
   * Holds the values in a format from now on, or as float32 without one; the old form is freed once the new one is
   * there. Before there are values it only decides how they will be held, so that a model larger than memory as
   * float32 can be loaded. Held values are frozen.
   *
   * @throws WeightError for a value that the format cannot hold; then nothing has changed.
   */
  async hold(format?: WeightFormat): Promise<void> {
    if (format?.type === this.format?.type) return;
    const before = this.format;
    const values = this.ready ? await this.read() : undefined;
    this.format = format;
    try {
      if (values) this.assign(values);
    } catch (error) {
      this.format = before;
      throw error;
    }
  }

  /**
   * Sets the values; they are held as before. A tensor stays the caller's; an array is copied; a held weight is taken
   * over.
   * @throws ShapeError if the number of values or the shape differs.
   * @throws WeightError for a value that the held type cannot hold, or a tensor where the type is not float32, or a weight
   * that is held as another type.
   */
  assign(values: Float32Array | tf.Tensor | HeldWeight): void {
    this.checkSize(values);
    if ('packed' in values) {
      this.takeHeld(values);
    } else if (values instanceof Float32Array) {
      if (this.format) this.keepHeld(this.format.hold(values, this.shape, this.path));
      else this.writeAll(values);
    } else if (!this.format) {
      this.keepTensor(values);
    } else {
      throw new WeightError({
        component: this.path,
        expected: `an array, for weights held as ${this.type}`,
        actual: 'a tensor',
      });
    }
  }

  /**
   * Sets the values piece by piece, so that they need not be on the host all at once; they are held as before. What was
   * there stays until `finish`.
   */
  writer(options: WriterOptions = {}): WeightWriter<void> {
    const { format } = this;
    return format
      ? checkedWriter(this.heldWriter(format, options), this, options, (held) => this.keepHeld(held))
      : checkedWriter(tensorWriter(this.shape, options), this, options, (tensor) => {
          this.keepTensor(tensor);
          tensor.dispose();
        });
  }

  private writeAll(values: Float32Array): void {
    const writer = this.writer();
    writer.write({ type: 'float32', values });
    writer.finish();
  }

  private heldWriter(format: WeightFormat, options: WriterOptions): WeightWriter<HeldWeight> {
    const direct = format.writer?.(this.shape, this.path, options);
    if (direct) return direct;
    const host = new HostWriter(this.shape, options);
    return {
      write: (piece) => host.write(piece),
      finish: () => format.hold(host.finish(), this.shape, this.path),
      dispose: () => host.dispose(),
    };
  }

  private checkSize(values: Float32Array | tf.Tensor | HeldWeight): void {
    const shape = values instanceof Float32Array ? [values.length] : [...values.shape];
    const fits =
      values instanceof Float32Array
        ? values.length === this.size
        : tf.util.arraysEqual(shape, [...this.shape]);
    if (fits) return;
    throw new ShapeError({
      component: this.path,
      expected: `float32[${this.shape.join(', ')}]`,
      actual: `[${shape.join(', ')}]`,
    });
  }

  private keepTensor(tensor: tf.Tensor): void {
    // tf.variable takes over a reference of its own to the data.
    if (this.variable) this.variable.assign(tensor);
    else this.variable = tf.tidy(() => tf.variable(tensor));
    this.heldWeight?.dispose();
    this.heldWeight = undefined;
  }

  private takeHeld(held: HeldWeight): void {
    if (held.type !== this.type) {
      throw new WeightError({
        component: this.path,
        expected: `weights held as ${this.type}`,
        actual: `weights held as ${held.type}`,
      });
    }
    this.keepHeld(held);
  }

  private keepHeld(held: HeldWeight): void {
    this.dispose();
    this.heldWeight = held;
  }

  /** A copy of the values on the host; of held ones, what they count as. */
  async read(): Promise<Float32Array> {
    if (this.heldWeight) return this.heldWeight.read();
    return (await this.value.data<'float32'>()).slice();
  }

  /** Frees the memory; the parameter is shape-only again, and its next values are held as these were. */
  dispose(): void {
    this.variable?.dispose();
    this.variable = undefined;
    this.heldWeight?.dispose();
    this.heldWeight = undefined;
  }
}
