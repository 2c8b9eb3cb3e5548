import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { defineOp } from './define-op';
import { asRows, sumOfRows } from './rows';

interface ConvInputs {
  x: tf.Tensor4D;
  /** float32[side², C] */
  weight: tf.Tensor2D;
}

const convolve = (x: tf.Tensor4D, weight: tf.Tensor2D, side: number): tf.Tensor4D =>
  tf.depthwiseConv2d(x, tf.reshape(weight, [side, side, weight.shape[1], 1]), 1, 'same');

/**
 * Each weight's gradient is the sum of dy times what the weight saw, a shifted x. Written out because wasm has no
 * kernel for the gradients of tfjs's own op.
 */
function weightGradient(x: tf.Tensor4D, dy: tf.Tensor4D, side: number): tf.Tensor2D {
  const margin: [number, number] = [(side - 1) / 2, (side - 1) / 2];
  const padded = tf.pad4d(x, [[0, 0], margin, margin, [0, 0]]);
  const sums = Array.from({ length: side * side }, (_, tap) => {
    const seen = tf.slice4d(padded, [0, Math.floor(tap / side), tap % side, 0], x.shape);
    return sumOfRows(asRows(tf.mul(seen, dy)));
  });
  return tf.stack(sums) as tf.Tensor2D;
}

const apply = defineOp<ConvInputs, { side: number }, 'x' | 'weight', tf.Tensor4D>({
  name: 'mmllm/DepthwiseConv',
  reference: ({ x, weight }, { side }) => convolve(x, weight, side),
  inputsToSave: ['x', 'weight'],
  backward: ({ dy, inputs: { x, weight }, attrs: { side } }) => ({
    // Every output is given back to what it saw: the same convolution, turned by half a circle.
    x: () => tf.tidy(() => convolve(dy as tf.Tensor4D, tf.reverse(weight, 0), side)),
    weight: () => tf.tidy(() => weightGradient(x, dy as tf.Tensor4D, side)),
  }),
});

/**
 * A convolution that keeps channels apart, with a square kernel, stride 1 and zeros around the borders, so that height
 * and width stay. The caller owns the result.
 *
 * @param x float32[B, H, W, C]
 * @param weight float32[side², C], the kernel row by row; side is odd
 * @returns float32[B, H, W, C]
 * @throws ShapeError if sizes do not fit.
 */
export function depthwiseConv(x: tf.Tensor4D, weight: tf.Tensor2D): tf.Tensor4D {
  const [cells, channels] = weight.shape;
  const side = Math.sqrt(cells);
  if (x.rank !== 4 || x.shape[3] !== channels || side % 2 !== 1) {
    throw new ShapeError({
      component: 'depthwiseConv',
      expected: 'x of [B, H, W, C] and a weight of [side², C] with an odd side',
      actual: `x ${shapeText(x.shape)}, weight ${shapeText(weight.shape)}`,
    });
  }
  return apply({ x, weight }, { side });
}
