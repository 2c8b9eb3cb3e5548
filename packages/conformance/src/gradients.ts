import * as tf from '@tensorflow/tfjs-core';
import { unravel } from './compare';
import { seededRandom } from './random';

export interface GradientOptions {
  /** Positions of the inputs to check. Default: every float32 input. */
  wrt?: readonly number[];
  /**
   * Step of the differences, multiplied by `max(1, |x|)`, where `x` is the element, or the root mean square of the
   * input for a direction. Default 0.02.
   */
  epsilon?: number;
  /** Largest accepted error, in units of the largest difference quotient of that input. Default 1e-3. */
  tolerance?: number;
  /** The fixed projection of the output to a scalar, of the output's shape. Default: random values of ±[0.5, 1.5). */
  dy?: tf.Tensor;
  /**
   * Inputs with more elements are checked on this many, chosen by `seed`, and along one random direction that moves
   * all of them. Zero leaves the direction alone, which is cheap and nearly as strict. Default 64.
   */
  maxElements?: number;
  /** Seed of the projection, the sample and the direction. Default 1. */
  seed?: number;
}

type TensorFunction = (...inputs: tf.Tensor[]) => tf.Tensor;

/** One compared derivative: of an element, or along a direction through the whole input. */
interface Derivative {
  where: string;
  analytic: number;
  numeric: number;
}

/**
 * Errors are relative to the largest derivative, but not below this: the difference quotient of a derivative that is
 * zero is rounding noise of about `2^-24 / epsilon`.
 */
const SMALLEST_SCALE = 1e-2;

/**
 * Checks the gradients that tfjs computes for `f` against finite differences (fourth-order central ones: float32
 * allows no small step, so the error of a large one must vanish quickly). `f` must be smooth within two steps of the
 * inputs, use every checked input, and give the same output each time. All outputs are read with `data()` and
 * projected in double precision.
 *
 * The caller keeps `inputs` and `dy`; nothing is left behind.
 *
 * @throws {Error} naming the input, the element and both derivatives of the worst disagreement.
 */
export async function checkGradients<Inputs extends tf.Tensor[]>(
  f: (...inputs: Inputs) => tf.Tensor,
  inputs: readonly [...Inputs],
  options: GradientOptions = {},
): Promise<void> {
  // Inside, f only ever gets tensors of the ranks of `inputs`, which is all that the narrower type asks for. The clone
  // lets it hand back an input, which would otherwise have no gradient, and be disposed of.
  await checkEveryInput((...tensors) => tf.clone((f as TensorFunction)(...tensors)), inputs, options);
}

async function checkEveryInput(
  f: TensorFunction,
  inputs: readonly tf.Tensor[],
  options: GradientOptions,
): Promise<void> {
  const { tolerance = 1e-3, seed = 1 } = options;
  const wrt =
    options.wrt ?? inputs.flatMap((input, position) => (input.dtype === 'float32' ? [position] : []));
  const random = seededRandom(seed);
  const projection = await outputProjection(f, inputs, options.dy, random);
  const gradients = await analyticGradients(f, inputs, wrt, projection);
  for (const [i, position] of wrt.entries()) {
    const derivatives = await compareInput(f, inputs, position, {
      ...options,
      projection,
      gradient: gradients[i]!,
      random,
    });
    refuseWorst(derivatives, position, tolerance);
  }
}

interface Projection {
  shape: number[];
  weights: Float32Array;
}

async function outputProjection(
  f: TensorFunction,
  inputs: readonly tf.Tensor[],
  dy: tf.Tensor | undefined,
  random: () => number,
): Promise<Projection> {
  const output = tf.tidy(() => f(...inputs));
  const { shape, size, dtype } = output;
  output.dispose();
  if (dtype !== 'float32') throw new Error(`gradient: expected a float32 output, got ${dtype}`);
  if (dy) return { shape, weights: await dy.data<'float32'>() };
  const sign = () => (random() < 0.5 ? -1 : 1);
  return { shape, weights: Float32Array.from({ length: size }, () => sign() * (0.5 + random())) };
}

async function analyticGradients(
  f: TensorFunction,
  inputs: readonly tf.Tensor[],
  wrt: readonly number[],
  { shape, weights }: Projection,
): Promise<Float32Array[]> {
  const gradients = tf.tidy(() => {
    const ofChecked = (...checked: tf.Tensor[]) => {
      const all = [...inputs];
      for (const [i, position] of wrt.entries()) all[position] = checked[i]!;
      return f(...all);
    };
    return tf.grads(ofChecked)(
      wrt.map((position) => inputs[position]!),
      tf.tensor(weights, shape),
    );
  });
  for (const [i, position] of wrt.entries()) {
    const [wanted, came] = [inputs[position]!.shape, gradients[i]!.shape];
    if (`${wanted}` !== `${came}`) {
      throw new Error(`gradient of input ${position}: expected shape [${wanted}], got [${came}]`);
    }
  }
  const values = await Promise.all(gradients.map((gradient) => gradient.data<'float32'>()));
  tf.dispose(gradients);
  return values;
}

interface InputCheck extends GradientOptions {
  projection: Projection;
  gradient: Float32Array;
  random: () => number;
}

async function compareInput(
  f: TensorFunction,
  inputs: readonly tf.Tensor[],
  position: number,
  { projection, gradient, random, epsilon = 0.02, maxElements = 64 }: InputCheck,
): Promise<Derivative[]> {
  const { shape } = inputs[position]!;
  const values = await inputs[position]!.data<'float32'>();

  /** The derivative of the projected output along `direction`, a sparse list of (element, weight). */
  const along = async (direction: readonly (readonly [number, number])[], step: number): Promise<number> => {
    const outputAt = async (distance: number): Promise<Float32Array> => {
      const moved = values.slice();
      for (const [element, weight] of direction) moved[element] = moved[element]! + distance * weight;
      const output = tf.tidy(() => f(...inputs.with(position, tf.tensor(moved, shape))));
      const read = await output.data<'float32'>();
      output.dispose();
      return read;
    };
    const [near, nearBack] = [await outputAt(step), await outputAt(-step)];
    const [far, farBack] = [await outputAt(2 * step), await outputAt(-2 * step)];
    let sum = 0;
    for (const [i, weight] of projection.weights.entries()) {
      sum += weight * (8 * (near[i]! - nearBack[i]!) - (far[i]! - farBack[i]!));
    }
    return sum / (12 * step);
  };

  const derivatives: Derivative[] = [];
  const elements = sample(values.length, maxElements, random);
  for (const element of elements) {
    const numeric = await along([[element, 1]], epsilon * Math.max(1, Math.abs(values[element]!)));
    derivatives.push({
      where: `[${unravel(element, shape).join(', ')}]`,
      analytic: gradient[element]!,
      numeric,
    });
  }
  if (elements.length < values.length) {
    // The sample cannot see the other elements; a random direction of length one moves them all.
    const direction = Array.from(
      values,
      (_, i) => [i, (random() < 0.5 ? -1 : 1) / Math.sqrt(values.length)] as const,
    );
    const analytic = direction.reduce((sum, [i, weight]) => sum + gradient[i]! * weight, 0);
    const size = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    const numeric = await along(direction, epsilon * Math.max(1, size));
    derivatives.push({ where: 'a random direction', analytic, numeric });
  }
  return derivatives;
}

/** At most `count` different positions below `length`, in ascending order. */
function sample(length: number, count: number, random: () => number): number[] {
  const positions = Array.from({ length }, (_, i) => i);
  if (length <= count) return positions;
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(random() * (length - i));
    [positions[i], positions[j]] = [positions[j]!, positions[i]!];
  }
  return positions.slice(0, count).sort((a, b) => a - b);
}

function refuseWorst(derivatives: readonly Derivative[], position: number, tolerance: number): void {
  const scale = derivatives.reduce((max, { numeric }) => Math.max(max, Math.abs(numeric)), SMALLEST_SCALE);
  let worst: { derivative: Derivative; error: number } | undefined;
  for (const derivative of derivatives) {
    const difference = Math.abs(derivative.analytic - derivative.numeric) / scale;
    const error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
    if (!worst || error > worst.error) worst = { derivative, error };
  }
  if (!worst || worst.error <= tolerance) return;
  const { where, analytic, numeric } = worst.derivative;
  throw new Error(
    `gradient of input ${position}: at ${where} finite differences give ${numeric}, the gradient is ${analytic} ` +
      `(error ${worst.error.toExponential(2)} of the largest derivative, tolerance ${tolerance})`,
  );
}
