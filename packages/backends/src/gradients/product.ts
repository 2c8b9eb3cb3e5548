import * as tf from '@tensorflow/tfjs-core';
import { type Gradient, gradient, sumTo } from './gradient';

export const PRODUCT_GRADIENTS: readonly Gradient[] = [
  gradient<tf.BatchMatMulAttrs>({
    kernelName: tf.BatchMatMul,
    inputs: ['a', 'b'],
    backward: (dy, [a, b], { transposeA, transposeB }) => ({
      // With a transposed side, its gradient is the transpose of what it would be without.
      a: () => {
        const da = transposeA ? tf.matMul(b!, dy, transposeB, true) : tf.matMul(dy, b!, false, !transposeB);
        return sumTo(da, a!.shape);
      },
      b: () => {
        const db = transposeB ? tf.matMul(dy, a!, true, transposeA) : tf.matMul(a!, dy, !transposeA, false);
        return sumTo(db, b!.shape);
      },
    }),
  }),
];
