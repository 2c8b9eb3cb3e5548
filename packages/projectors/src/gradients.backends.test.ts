import { checkGradients, expectNoLeak } from '@mmllm/conformance';
import type { Projector } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { linear, mlp } from './index';

const sizes = { inputSize: 6, outputSize: 5 };

describeBackends('gradients of projectors', () => {
  it.each([
    ['linear', linear()],
    ['mlp', mlp({ activation: 'gelu_tanh' })],
  ])('%s: of the features', async (_, factory) => {
    const projector = factory.build(sizes);
    projector.initialize({ seed: 3 });
    const features = tf.randomNormal<tf.Rank.R2>([4, 6], 0, 1, 'float32', 5);
    const project = (x: tf.Tensor2D) => projector.project({ features: x, images: [] }).features;
    await checkGradients(project, [features], { maxElements: 8 });
    features.dispose();
    projector.dispose();
  });

  it('of every parameter', async () => {
    const projector: Projector = mlp().build(sizes);
    projector.initialize({ seed: 3 });
    const features = tf.randomNormal<tf.Rank.R2>([4, 6], 0, 1, 'float32', 5);
    await expectNoLeak(async () => {
      const variables = [...projector.namedParameters()].map(([, parameter]) => parameter.value);
      const { value, grads } = tf.variableGrads(
        () => tf.sum(tf.square(projector.project({ features, images: [] }).features)),
        variables,
      );
      for (const variable of variables) {
        const gradient = await grads[variable.name].data();
        expect(gradient).toHaveLength(variable.size);
        expect(gradient.every((slope) => Number.isFinite(slope) && slope !== 0)).toBe(true);
      }
      tf.dispose([value, grads]);
    });
    features.dispose();
    projector.dispose();
  });
});
