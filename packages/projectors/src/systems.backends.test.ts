import { expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { slopeOverGradient } from '../../vision-encoders/src/testing/parameter-gradients';
import { LoadedSystem, systems } from './testing/systems';

describeBackends('the projector of a published system', () => {
  // A software GPU takes its time.
  it.each(Object.keys(systems))(
    'gives its decoder the features of %s, and the gradient that a loss follows',
    { timeout: 300_000 },
    async (name) => {
      await expectNoLeak(async () => {
        const system = await LoadedSystem.load(name);
        expect(await system.difference()).toBeUndefined();
        const { projector, encoded } = system;
        const loss = () => tf.tidy(() => tf.sum(tf.square(projector.project(encoded).features)) as tf.Scalar);
        expect(await slopeOverGradient(projector, loss)).toBeCloseTo(1, 2);
        await system.dispose();
      });
    },
  );
});
