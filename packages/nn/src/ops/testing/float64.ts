import * as tf from '@tensorflow/tfjs-core';

/** A float32 tensor in JavaScript. */
export interface Host {
  shape: number[];
  data: Float32Array;
}

/** An output in double precision. */
export interface Host64 {
  shape: readonly number[];
  data: readonly number[] | Float64Array;
}

/** Repeatable values of ±`scale`, exactly representable in float32. */
export function randomHost(shape: number[], seed: number, scale = 1): Host {
  let state = (seed * 2654435761) >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
  const size = shape.reduce((product, n) => product * n, 1);
  return { shape, data: Float32Array.from({ length: size }, () => scale * (2 * next() - 1)) };
}

export const upload = ({ shape, data }: Host): tf.Tensor => tf.tensor(data, shape);

type Op = (...inputs: tf.Tensor[]) => tf.Tensor;
type Reference = (...inputs: Float64Array[]) => Host64;

/** One comparison for a test to make. */
export interface Pair {
  name: string;
  actual: Host;
  expected: { shape: readonly number[]; data: Float32Array };
}

export interface AgainstOptions {
  /** Inputs whose gradients are compared; default all. */
  wrt?: number[];
}

/**
 * Runs an op and its gradients on the current backend, and the same in double precision: the output by `reference`,
 * the gradients by finite differences of `reference`, whole tensors each. Throws if the op leaves a tensor behind.
 */
export async function againstFloat64(
  op: Op,
  reference: Reference,
  hosts: readonly Host[],
  { wrt = hosts.map((_, position) => position) }: AgainstOptions = {},
): Promise<Pair[]> {
  const values = hosts.map(({ data }) => Float64Array.from(data));
  const expected = reference(...values);
  const dy = randomHost([...expected.shape], 99);

  const inputs = hosts.map(upload);
  const before = tf.memory().numTensors;
  const output = op(...inputs);
  const actual = await read(output);
  output.dispose();
  const gradients = wrt.length > 0 ? gradientsOf(op, inputs, wrt, dy) : [];
  const pairs: Pair[] = [{ name: 'output', actual, expected: rounded(expected) }];
  for (const [i, position] of wrt.entries()) {
    const numeric = finiteDifferences(reference, values, position, dy.data);
    const { shape } = hosts[position]!;
    pairs.push({
      name: `gradient of input ${position}`,
      actual: await read(gradients[i]!),
      expected: rounded({ shape, data: numeric }),
    });
  }
  tf.dispose(gradients);
  const left = tf.memory().numTensors - before;
  tf.dispose(inputs);
  if (left !== 0) throw new Error(`the op and its gradient left ${left} tensors behind`);
  return pairs;
}

function gradientsOf(op: Op, inputs: tf.Tensor[], wrt: number[], dy: Host): tf.Tensor[] {
  return tf.tidy(() => {
    const ofChecked = (...checked: tf.Tensor[]) => {
      const all = [...inputs];
      for (const [i, position] of wrt.entries()) all[position] = checked[i]!;
      return op(...all);
    };
    return tf.grads(ofChecked)(
      wrt.map((position) => inputs[position]!),
      upload(dy),
    );
  });
}

/** Fourth-order central differences of `Σ reference · dy`. */
function finiteDifferences(
  reference: Reference,
  values: readonly Float64Array[],
  position: number,
  dy: Float32Array,
): Float64Array {
  const step = 1e-3;
  const original = values[position]!;
  const moved = Float64Array.from(original);
  const inputs = values.with(position, moved);
  const at = (element: number, distance: number): number => {
    moved[element] = original[element]! + distance;
    const { data } = reference(...inputs);
    moved[element] = original[element]!;
    return dy.reduce((sum, weight, i) => sum + weight * data[i]!, 0);
  };
  return original.map(
    (_, e) => (8 * (at(e, step) - at(e, -step)) - (at(e, 2 * step) - at(e, -2 * step))) / (12 * step),
  );
}

export async function read(tensor: tf.Tensor): Promise<Host> {
  return { shape: tensor.shape, data: await tensor.data<'float32'>() };
}

const rounded = ({ shape, data }: Host64) => ({ shape, data: Float32Array.from(data) });

/** The product of two row-major matrices in double precision. */
export function product(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  [m, k, n]: readonly [number, number, number],
): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      for (let x = 0; x < k; x++) out[i * n + j]! += a[i * k + x]! * b[x * n + j]!;
    }
  }
  return out;
}

export function transposed(a: ArrayLike<number>, rows: number, columns: number): Float64Array {
  return Float64Array.from(
    { length: rows * columns },
    (_, i) => a[(i % rows) * columns + Math.floor(i / rows)]!,
  );
}

/** Softmax of a row with a log-sum-exp beside it. */
export function softmax64(row: readonly number[]): { weights: number[]; logSumExp: number } {
  const max = row.reduce((most, x) => Math.max(most, x));
  const sum = row.reduce((total, x) => total + Math.exp(x - max), 0);
  const logSumExp = max + Math.log(sum);
  return { weights: row.map((x) => Math.exp(x - logSumExp)), logSumExp };
}
