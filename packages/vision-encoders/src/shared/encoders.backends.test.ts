import { expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { tinyLoss, tinyModels } from '../testing/tiny';

describeBackends('a contrastive step', () => {
  it.each(['clip', 'siglip'] as const)('of %s has the gradient that the loss follows', async (name) => {
    await expectNoLeak(async () => {
      const model = tinyModels[name](1);
      model.initialize({ seed: 2 });
      const pixels = tf.randomNormal<tf.Rank.R4>([2, 8, 8, 3], 0, 1, 'float32', 4);
      const parameters = [...model.namedParameters()].map(([, parameter]) => parameter);
      const { value, grads } = tf.variableGrads(
        () => tinyLoss(model, pixels),
        parameters.map((parameter) => parameter.value),
      );
      const values = await Promise.all(parameters.map((parameter) => parameter.read()));
      const gradients = await Promise.all(parameters.map((parameter) => grads[parameter.value.name].data()));
      for (const gradient of gradients) expect(gradient.every(Number.isFinite)).toBe(true);
      const norm = Math.hypot(...gradients.flatMap((gradient) => [...gradient]));
      expect(norm).toBeGreaterThan(1);

      /** The loss at a distance along the gradient of all parameters. */
      const lossAt = async (distance: number) => {
        for (const [i, parameter] of parameters.entries()) {
          parameter.assign(values[i].map((x, at) => x + (distance * gradients[i][at]) / norm));
        }
        const loss = tinyLoss(model, pixels);
        const [number] = await loss.data();
        loss.dispose();
        return number;
      };
      const step = 1e-3;
      const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
      expect(slope / norm).toBeCloseTo(1, 2);
      tf.dispose([value, grads, pixels]);
      model.dispose();
    });
  });
});
