import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { startBackend } from '../../../backends/src/index';
import { crossEntropy } from './cross-entropy';

it('keeps no more than one tensor of the size of the logits beside them and the gradient', async () => {
  await startBackend({ backend: 'wasm' });
  // The references.
  for (const name of ['mmllm/CrossEntropy', 'mmllm/CrossEntropyGrad']) tf.unregisterKernel(name, 'wasm');
  const [numRows, numClasses] = [128, 2 ** 17];
  const logits = tf.randomUniform<tf.Rank.R2>([numRows, numClasses], -5, 5);
  const targets = Int32Array.from({ length: numRows }, (_, row) => (row % 5 === 0 ? -100 : row));
  const before = tf.memory().numBytes;
  const { peakBytes } = await tf.profile(() => {
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => crossEntropy(x as tf.Tensor2D, targets))(
      logits,
    );
    return [value, grad];
  });
  // The gradient and its blocks before they are joined; and tfjs counts the clone of the logits that the tape keeps.
  expect((peakBytes - before) / (4 * logits.size)).toBeLessThan(3.1);
  logits.dispose();
});
