import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { slopeOverGradient } from '../testing/parameter-gradients';
import { rowSums, tiledBatch, tiledEncoders } from '../testing/tiled';

type Name = keyof typeof tiledEncoders;
const names = Object.keys(tiledEncoders) as Name[];

/** What tfjs's cpu backend gives; on the golden cases the encoders equal the reference there. */
const expected: Record<Name, number[]> = {
  mllama: [
    -3.39379, 4.957, 3.55278, 8.99368, 8.09995, -0.31018, 5.48905, -3.98578, 0.01696, -6.41049, -3.14682,
    9.78644, 8.4256, 1.91495, 4.24765, -3.65459, 2.47338, 8.29952, -4.88783, 4.56442,
  ],
  aria: [
    -9.58919, -3.35212, -2.47767, 0.61621, 0.32913, 0.7142, -4.00874, -0.69476, -3.57756, 6.638, -4.50004,
    -0.75844, 2.40007, 1.84681, -2.72871, 5.20742,
  ],
  molmo: [
    -4.86436, 2.09773, -5.13978, -3.9829, -10.43564, 2.52239, -9.68487, 4.40205, 2.08464, 4.6437, -9.53754,
    1.81172, 0, -0.5613, 0, -0.5613,
  ],
};

describeBackends('an encoder of tiles, padded pictures or crops', () => {
  it.each(names)('%s gives the same features everywhere', async (name) => {
    await expectNoLeak(async () => {
      const encoder = tiledEncoders[name]();
      const batch = tiledBatch();
      const { features } = encoder.encode(batch);
      const sums = rowSums(features);
      const data = Float32Array.from(expected[name]);
      await assertTensorsClose(sums, { shape: [data.length, 1], data }, { tolerance: 2e-4 });
      tf.dispose([batch.pixels, features, sums]);
      encoder.dispose();
    });
  });

  it.each(names)('%s has the gradient that a loss follows', async (name) => {
    await expectNoLeak(async () => {
      const encoder = tiledEncoders[name]();
      const batch = tiledBatch();
      const loss = () => tf.tidy(() => tf.sum(rowSums(encoder.encode(batch).features)) as tf.Scalar);
      expect(await slopeOverGradient(encoder, loss)).toBeCloseTo(1, 2);
      batch.pixels.dispose();
      encoder.dispose();
    });
  });
});
