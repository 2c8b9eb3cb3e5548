import * as tf from '@tensorflow/tfjs-core';

/** A kernel's gradient, in the form in which tfjs registers it, with its types told. */
export interface Gradient<Attrs = object> {
  kernelName: string;
  /** Names of the inputs that `backward` reads. */
  inputs?: readonly string[];
  /** Hands over every input, for kernels that take a list of them. */
  allInputs?: boolean;
  /** Whether `backward` reads the output. */
  output?: boolean;
  /**
   * The gradient of each input, by its name. Only those that are asked for are computed. `saved` holds `inputs` in
   * order, then the output.
   */
  backward(dy: tf.Tensor, saved: tf.Tensor[], attrs: Attrs): Record<string, () => tf.Tensor>;
}

/** Checks the attributes' type where the gradient is written, and forgets it for the list of all gradients. */
export const gradient = <Attrs>(definition: Gradient<Attrs>): Gradient => definition as Gradient;

/** Registers gradients with tfjs, in place of those that it has under the same names. */
export function registerGradientList(gradients: readonly Gradient[]): void {
  for (const { kernelName, inputs = [], allInputs = false, output = false, backward } of gradients) {
    tf.registerGradient({
      kernelName,
      inputsToSave: [...inputs],
      saveAllInputs: allInputs,
      outputsToSave: [output],
      // Kernels with several outputs hand over a list; their gradients take it for what it is.
      gradFunc: (dy, saved, attrs) => backward(dy as tf.Tensor, saved, attrs),
    });
  }
}

/** Sums `x` over the axes along which `shape` was broadcast to the shape of `x`. */
export function sumTo(x: tf.Tensor, shape: number[]): tf.Tensor {
  const axes = tf.broadcast_util.getReductionAxes(shape, x.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(x, axes) : x, shape);
}

/** `x` where `condition` holds, else zero: unlike a product with a mask, also where `x` is not finite. */
export const masked = (condition: tf.Tensor, x: tf.Tensor): tf.Tensor =>
  tf.where(condition, x, tf.zerosLike(x));

export const asFloat = (x: tf.Tensor): tf.Tensor => (x.dtype === 'float32' ? x : tf.cast(x, 'float32'));
