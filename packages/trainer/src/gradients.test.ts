import { startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import { ConfigError } from '@mmllm/core';
import { beforeAll, expect, it } from 'vitest';
import { FeatureCache, trained } from '.';
import { StepGradients } from './gradients';
import { resolvePolicy } from './policy';
import { type Point, points, regression, Toy } from './testing/toy';

beforeAll(() => startBackend({ backend: 'cpu' }));

const context = { isFrozen: () => false, features: new FeatureCache(0) };

/** Loss and all gradients at the toy's first weights. */
async function gradientsOf(batches: readonly (readonly Point[])[], weight?: number) {
  const toy = new Toy();
  toy.initialize();
  const objective = regression(toy);
  objective.module.initialize();
  const policy = resolvePolicy(toy, [['**', trained()]], { learningRate: 1, weightDecay: 0 });
  const sum = new StepGradients(policy.trained, batches.length);
  try {
    for (const data of batches) {
      const batch = await objective.prepare(data, context);
      try {
        sum.add(weight === undefined ? batch : { weight, tokens: 1, loss: () => batch.loss(), dispose() {} });
      } finally {
        batch.dispose();
      }
    }
    const { loss } = await sum.read();
    const values = await Promise.all(
      sum.gradients.map(async (gradient) => [...((await gradient?.data()) ?? [])]),
    );
    return [loss, ...values.flat()];
  } finally {
    sum.dispose();
    toy.dispose();
    objective.module.dispose();
  }
}

it('weighs unequal micro-batches as one large batch does', async () => {
  const parts = [points.slice(0, 1), points.slice(1, 4), points.slice(4, 12)];
  const whole = await gradientsOf([points.slice(0, 12)]);
  const distance = (values: number[]) => Math.max(...values.map((value, i) => Math.abs(value - whole[i])));
  expect(distance(await gradientsOf(parts))).toBeLessThan(1e-6);
  // Equal weights would be noticed.
  expect(distance(await gradientsOf(parts, 1))).toBeGreaterThan(1e-2);
});

it('takes a batch alone as it is, to the last bit', async () => {
  expect(await gradientsOf([points], 7)).toEqual(await gradientsOf([points]));
});

it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
  'refuses a weight of %d and frees all',
  async (weight) => {
    await gradientsOf([points]);
    await expectNoLeak(() => expect(gradientsOf([points], weight)).rejects.toThrow(ConfigError));
  },
);
