import * as tf from '@tensorflow/tfjs-core';
import { attrsOf, type KernelFix, tensorsOf } from './fix';

type FusedInputs = Record<'a' | 'b', tf.Tensor3D> &
  Record<'bias' | 'preluActivationWeights', tf.Tensor | undefined>;

const fusedMatMul: (stock: tf.KernelFunc) => tf.KernelFunc = (stock) => (params) => {
  const { a, b, bias, preluActivationWeights } = tensorsOf<FusedInputs>(params);
  const { transposeA, transposeB, activation, leakyreluAlpha } = attrsOf<tf._FusedMatMulAttrs>(params);
  const isPlain = a.shape[0] === 1 && b.shape[0] === 1 && !transposeA && !transposeB && bias?.rank === 1;
  if (!bias || isPlain) return stock(params);
  return tf.tidy(() => {
    const sum = tf.add(tf.matMul(a, b, transposeA, transposeB), bias);
    return activate(sum, activation, leakyreluAlpha, preluActivationWeights);
  });
};

function activate(
  x: tf.Tensor,
  activation: tf.fused.Activation,
  leakyreluAlpha: number | undefined,
  preluWeights: tf.Tensor | undefined,
): tf.Tensor {
  switch (activation) {
    case 'linear':
      return x;
    case 'relu':
      return tf.relu(x);
    case 'relu6':
      return tf.relu6(x);
    case 'elu':
      return tf.elu(x);
    case 'sigmoid':
      return tf.sigmoid(x);
    case 'leakyrelu':
      return tf.leakyRelu(x, leakyreluAlpha);
    case 'prelu':
      return tf.prelu(x, preluWeights!);
  }
}

/** Only the plain two-dimensional product adds its bias to every row; the others add it to the first. */
export const fusedMatMulFix: KernelFix = {
  kernelName: tf._FusedMatMul,
  backends: ['wasm'],
  reason: 'batched or with a transposed side, the stock kernel adds the bias to the first row only',
  create: fusedMatMul,
};
