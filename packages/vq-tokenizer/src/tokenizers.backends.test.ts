import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { slopeOverGradient } from '../../vision-encoders/src/testing/parameter-gradients';
import { tinyTokenizers } from './testing/tiny';

describeBackends('tokenizers', () => {
  it.each(Object.keys(tinyTokenizers))('%s has the gradient that its outputs follow', async (name) => {
    await expectNoLeak(async () => {
      const tokenizer = tinyTokenizers[name]!();
      tokenizer.initialize({ seed: 3 });
      const pixels = tf.randomNormal<tf.Rank.R4>([2, 4, 6, 3], 0, 1, 'float32', 1);
      const codes = tf.tensor3d([0, 3, 10, 3, 7, 1, 2, 4, 9, 5, 0, 8], [2, 2, 3], 'int32');
      const [inner, outer] = tf.tidy(() => [
        tf.randomNormal(tokenizer.latents(pixels).shape, 0, 1, 'float32', 2),
        tf.randomNormal(pixels.shape, 0, 1, 'float32', 4),
      ]);
      const loss = () =>
        tf.tidy(() => {
          const found = tf.sum(tf.mul(tokenizer.latents(pixels), inner!));
          const made = tf.sum(tf.mul(tokenizer.decode(codes), outer!));
          return tf.add<tf.Scalar>(found, made);
        });
      expect(await slopeOverGradient(tokenizer, loss)).toBeCloseTo(1, 2);
      tf.dispose([pixels, codes, inner!, outer!]);
      tokenizer.dispose();
    });
  });

  it.each(Object.keys(tinyTokenizers))('%s gives a code for the nearest vector', async (name) => {
    await expectNoLeak(async () => {
      const tokenizer = tinyTokenizers[name]!();
      tokenizer.initialize({ seed: 3 });
      const pixels = tf.randomNormal<tf.Rank.R4>([2, 4, 6, 3], 0, 1, 'float32', 1);
      const table = tokenizer.parameter('codebook.weight');
      const latents = tokenizer.latents(pixels);
      // All but the last of the latents themselves, so that each has a code of its own.
      table.assign((await latents.data<'float32'>()).slice(0, table.size));
      const codes = tokenizer.encode(pixels);
      const expected = tf.tidy(() => {
        const rows = tf.reshape(latents, [-1, 1, tokenizer.codeSize]);
        const distances = tf.sum(tf.squaredDifference(rows, tf.expandDims(table.value, 0)), 2);
        return tf.reshape(tf.argMin(distances, 1), [2, 2, 3]);
      });
      expect(codes.dtype).toBe('int32');
      await assertTensorsClose(codes, expected, { tolerance: 0 });
      expect([...(await codes.data())].slice(0, 11)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      tf.dispose([pixels, codes, latents, expected]);
      tokenizer.dispose();
    });
  });
});
