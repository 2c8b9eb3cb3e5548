import type { Random } from './random';

/** Makes the first values of a parameter; `size` is the product of its shape. */
export type Initializer = (size: number, random: Random) => Float32Array;

export const zeros: Initializer = (size) => new Float32Array(size);

export const constant =
  (value: number): Initializer =>
  (size) =>
    new Float32Array(size).fill(value);

export const ones: Initializer = constant(1);

/** Normal with mean zero. */
export const normal =
  (std: number): Initializer =>
  (size, random) =>
    Float32Array.from({ length: size }, () => std * random.normal());

/** Uniform in [−bound, bound). */
export const uniform =
  (bound: number): Initializer =>
  (size, random) =>
    Float32Array.from({ length: size }, () => bound * (2 * random.uniform() - 1));
