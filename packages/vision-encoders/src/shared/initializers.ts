import { type Initializer, normal, uniform } from '@mmllm/core';

/** Glorot and Bengio 2010: uniform with variance `2 / (inputSize + outputSize)`. */
export const xavierUniform = (inputSize: number, outputSize: number): Initializer =>
  uniform(Math.sqrt(6 / (inputSize + outputSize)));

/** LeCun et al. 1998: normal with variance `1 / inputSize`. */
export const lecunNormal = (inputSize: number): Initializer => normal(1 / Math.sqrt(inputSize));

/** A tower whose weights all start alike. */
export const sameEverywhere = (initializer: Initializer) => ({
  patchEmbedding: initializer,
  positionEmbedding: initializer,
  attention: initializer,
  mlp: initializer,
});
