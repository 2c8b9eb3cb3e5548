import { matmul } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { Engine, Work } from '../engine.ts';
import { numbers, transposed } from '../inputs.ts';

export function openMatmul({ size, transpose }: Extract<Work, { kind: 'matmul' }>): Engine {
  const matrix = (seed: number, side: 'a' | 'b') => {
    const data = numbers(size * size, seed);
    return tf.tensor2d(transpose === side ? transposed(data, size, size) : data, [size, size]);
  };
  const [a, b] = [matrix(1, 'a'), matrix(2, 'b')];
  const options = { transposeA: transpose === 'a', transposeB: transpose === 'b' };
  return {
    async run() {
      const product = matmul(a, b, options);
      const values = await product.data();
      product.dispose();
      return { values: () => values };
    },
  };
}
