import { assertTensorsClose, checkGradients, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { slopeOverGradient } from '../../vision-encoders/src/testing/parameter-gradients';
import { pictures, randomRows, tiny, tinyProjectors } from './testing/tiny';

const names = Object.keys(tinyProjectors);
const images = pictures([2, 4], [2, 4], [2, 2]);
const rows = 20;

describeBackends('gradients of projectors', () => {
  it.each(names)('%s: of the features', async (name) => {
    await expectNoLeak(async () => {
      const projector = tiny(name);
      const features = randomRows(rows);
      const project = (x: tf.Tensor2D) => projector.project({ features: x, images }).features;
      await checkGradients(project, [features], { maxElements: 4, epsilon: 0.01, tolerance: 5e-3 });
      features.dispose();
      projector.dispose();
    });
  });

  it.each(names)('%s: of the parameters', async (name) => {
    await expectNoLeak(async () => {
      const projector = tiny(name);
      const features = randomRows(rows);
      const loss = () =>
        tf.tidy(() => tf.sum(tf.square(projector.project({ features, images }).features)) as tf.Scalar);
      expect(await slopeOverGradient(projector, loss)).toBeCloseTo(1, 2);
      features.dispose();
      projector.dispose();
    });
  });
});

describeBackends('projectors', () => {
  it.each(names)('%s gives each picture of a batch what it gives it alone', async (name) => {
    await expectNoLeak(async () => {
      const projector = tiny(name);
      const features = randomRows(rows);
      const together = projector.project({ features, images });
      expect(together.images).toEqual(projector.layout(images));
      const alone = tf.tidy(() => {
        const parts = images.map(({ views: [view] }) => {
          const own = tf.slice2d(features, [view.start, 0], [view.count, -1]);
          const place = [{ views: [{ ...view, start: 0 }] }];
          return projector.project({ features: own, images: place }).features;
        });
        return tf.concat2d(parts, 0);
      });
      await assertTensorsClose(together.features, alone, { tolerance: 1e-4 });
      tf.dispose([features, together.features, alone]);
      projector.dispose();
    });
  });
});
