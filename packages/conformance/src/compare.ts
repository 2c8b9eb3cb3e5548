import type * as tf from '@tensorflow/tfjs-core';

/** The numeric dtypes that can be compared. */
export type ComparableDtype = 'float32' | 'int32' | 'bool';

/**
 * A tensor written down in JavaScript, as golden values are. Without `dtype`, an `Int32Array` is int32, a
 * `Uint8Array` is bool, and everything else is float32.
 */
export interface HostTensor {
  shape: readonly number[];
  data: Float32Array | Int32Array | Uint8Array | readonly number[];
  dtype?: ComparableDtype;
}

/** Either side of a comparison. */
export type Comparable = tf.Tensor | HostTensor;

export interface CompareOptions {
  /**
   * Largest accepted `|actual - expected| / max(1, |expected|)`, ≥ 0. Zero asks for the same bits (only the sign of
   * zero and the payload of NaN are not looked at).
   */
  tolerance: number;
  /** What is compared; it opens the message. */
  name?: string;
}

/** The element with the largest error. */
export interface WorstElement {
  index: number[];
  actual: number;
  expected: number;
  /** `|actual - expected| / max(1, |expected|)`; infinite where only one side is finite, or NaN. */
  error: number;
}

export interface Comparison {
  ok: boolean;
  /** One readable line, also when the comparison holds. */
  message: string;
  /** Elements beyond the tolerance. */
  numWrong: number;
  /** Absent when shape or dtype differ, and for tensors without elements. */
  worst?: WorstElement;
}

interface Side {
  shape: readonly number[];
  dtype: ComparableDtype;
  values: ArrayLike<number>;
}

/**
 * Compares two tensors whole: shape, dtype, finiteness, and the error of every element. Values are read with
 * `data()`, so this works on every backend, webgpu in Node included.
 *
 * A value that is not finite equals only itself: NaN equals NaN, and an infinity the infinity of the same sign.
 *
 * @throws {Error} if `tolerance` is negative or NaN, or a side has a dtype or a number of values that makes no sense.
 */
export async function compareTensors(
  actual: Comparable,
  expected: Comparable,
  { tolerance, name = 'tensor' }: CompareOptions,
): Promise<Comparison> {
  if (!(tolerance >= 0)) throw new Error(`${name}: the tolerance must be at least 0, got ${tolerance}`);
  const [a, e] = [await readSide(actual, `${name} (actual)`), await readSide(expected, `${name} (expected)`)];
  const differ = (what: string, wanted: string, came: string): Comparison => ({
    ok: false,
    message: `${name}: expected ${what} ${wanted}, got ${came}`,
    numWrong: e.values.length,
  });
  if (!sameShape(a.shape, e.shape)) return differ('shape', shapeText(e.shape), shapeText(a.shape));
  if (a.dtype !== e.dtype) return differ('dtype', e.dtype, a.dtype);
  return compareValues(a, e, tolerance, name);
}

/** Like {@link compareTensors}, but throws when they differ.
 *
 * @throws {Error} naming the worst element, its index and both values.
 */
export async function assertTensorsClose(
  actual: Comparable,
  expected: Comparable,
  options: CompareOptions,
): Promise<void> {
  const { ok, message } = await compareTensors(actual, expected, options);
  if (!ok) throw new Error(message);
}

function compareValues(a: Side, e: Side, tolerance: number, name: string): Comparison {
  let worstAt = -1;
  let worstError = -1;
  let numWrong = 0;
  for (let i = 0; i < e.values.length; i++) {
    const error = elementError(a.values[i]!, e.values[i]!);
    if (error > tolerance) numWrong++;
    if (error > worstError) {
      worstAt = i;
      worstError = error;
    }
  }
  const text = `${name} ${e.dtype}${shapeText(e.shape)}`;
  if (worstAt < 0) return { ok: true, message: `${text}: no elements`, numWrong };
  const worst: WorstElement = {
    index: unravel(worstAt, e.shape),
    actual: a.values[worstAt]!,
    expected: e.values[worstAt]!,
    error: worstError,
  };
  const ok = numWrong === 0;
  const verdict = ok ? 'within tolerance' : `${numWrong} of ${e.values.length} elements beyond tolerance`;
  const message =
    `${text}: ${verdict} ${tolerance}; worst at ${shapeText(worst.index)}: ` +
    `expected ${worst.expected}, got ${worst.actual} (error ${worstError.toExponential(2)})`;
  return { ok, message, numWrong, worst };
}

function elementError(actual: number, expected: number): number {
  if (actual === expected || (Number.isNaN(actual) && Number.isNaN(expected))) return 0;
  if (!Number.isFinite(actual) || !Number.isFinite(expected)) return Number.POSITIVE_INFINITY;
  return Math.abs(actual - expected) / Math.max(1, Math.abs(expected));
}

async function readSide(side: Comparable, name: string): Promise<Side> {
  const { shape } = side;
  const dtype = 'dataId' in side ? side.dtype : (side.dtype ?? hostDtype(side.data));
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') {
    throw new Error(`${name}: dtype ${dtype} cannot be compared`);
  }
  const raw: ArrayLike<number> = 'dataId' in side ? await side.data<'float32'>() : side.data;
  const size = shape.reduce((product, n) => product * n, 1);
  if (raw.length !== size) {
    throw new Error(`${name}: shape ${shapeText(shape)} needs ${size} values, got ${raw.length}`);
  }
  // Written-down decimals are rounded as the tensor's values were, or no tolerance of zero would ever hold.
  return { shape, dtype, values: dtype === 'float32' ? Float32Array.from(raw) : raw };
}

function hostDtype(data: HostTensor['data']): ComparableDtype {
  if (data instanceof Int32Array) return 'int32';
  return data instanceof Uint8Array ? 'bool' : 'float32';
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((n, axis) => n === b[axis]);

const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** The index of element `flat` in a row-major tensor. */
export function unravel(flat: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = flat;
  for (const n of shape.toReversed()) {
    index.unshift(rest % n);
    rest = Math.floor(rest / n);
  }
  return index;
}
