import { startBackend } from '@mmllm/backends';
import { beforeAll, expect, it } from 'vitest';
import { FeatureCache, frozen, type Objective, type TrainingStep, train, trained } from '.';
import { StepGradients } from './gradients';
import { resolvePolicy } from './policy';
import { scheduleFactor } from './schedule';
import { type Point, points, readAll, regression, Toy } from './testing/toy';

beforeAll(() => startBackend({ backend: 'cpu' }));

const settings = {
  steps: 12,
  warmupSteps: 2,
  schedule: 'cosine',
  learningRate: 0.05,
  weightDecay: 0.2,
  betas: [0.8, 0.95],
  eps: 1e-3,
  clipNorm: 1.9,
} as const;
const policy = [
  ['objective', frozen],
  ['encoder', trained({ learningRateScale: 0.3 })],
  ['**', trained()],
] as const;
type Weights = Record<string, number[]>;

/** AdamW, clipping and schedule written out in float64, after the formulas of torch.optim.AdamW. */
class Float64AdamW {
  private readonly m: Weights = {};
  private readonly v: Weights = {};

  /** Returns the norm of the gradients. */
  step(t: number, weights: Weights, gradients: Weights): number {
    const norm = Math.hypot(...Object.values(gradients).flat());
    const clip = Math.min(1, settings.clipNorm / (norm + 1e-6));
    const [beta1, beta2] = settings.betas;
    for (const [path, gradient] of Object.entries(gradients)) {
      const decay = path.endsWith('weight') ? settings.weightDecay : 0;
      const own = path.startsWith('encoder') ? 0.3 : 1;
      const rate = settings.learningRate * own * scheduleFactor(t - 1, settings);
      this.m[path] ??= gradient.map(() => 0);
      this.v[path] ??= gradient.map(() => 0);
      const [m, v] = [this.m[path], this.v[path]];
      weights[path] = weights[path].map((weight, i) => {
        const g = gradient[i] * clip;
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        const move = m[i] / (1 - beta1 ** t) / (Math.sqrt(v[i] / (1 - beta2 ** t)) + settings.eps);
        return weight * (1 - rate * decay) - rate * move;
      });
    }
    return norm;
  }
}

/** Gradients of the toy at given weights, in float32. */
async function gradientsAt(weights: Weights, toy: Toy, objective: Objective<Point>, data: readonly Point[]) {
  const { trained } = resolvePolicy(toy, policy.slice(1), settings);
  for (const { path, parameter } of trained) parameter.assign(Float32Array.from(weights[path]));
  const sum = new StepGradients(trained, 1);
  const batch = await objective.prepare(data, { isFrozen: () => false, features: new FeatureCache(0) });
  sum.add(batch);
  const gradients: Weights = {};
  for (const [i, { path }] of trained.entries()) {
    const gradient = sum.gradients[i];
    if (gradient) gradients[path] = [...(await gradient.data())];
  }
  batch.dispose();
  sum.dispose();
  return gradients;
}

it('takes the steps of AdamW with clipping, decay, warm-up and learning rates of their own', async () => {
  const toy = new Toy();
  toy.initialize();
  const objective = regression(toy);
  objective.module.initialize();
  const start = await readAll(toy);

  const expected = { ...start };
  const norms: number[] = [];
  const reference = new Float64AdamW();
  // All points at once, so that their order does not matter.
  for (let t = 1; t <= settings.steps; t++) {
    norms.push(reference.step(t, expected, await gradientsAt(expected, toy, objective, points)));
  }
  expect(Math.min(...norms)).toBeLessThan(settings.clipNorm);
  expect(Math.max(...norms)).toBeGreaterThan(settings.clipNorm);

  for (const [path, values] of Object.entries(start)) toy.parameter(path).assign(Float32Array.from(values));
  const stage = { ...settings, name: 'fit', policy, objective, data: points, batchSize: points.length };
  const steps: TrainingStep[] = [];
  for await (const step of train(toy, { stages: [stage] })) steps.push(step);
  steps.forEach(({ gradientNorm }, i) => {
    expect(gradientNorm).toBeCloseTo(norms[i], 5);
  });
  for (const [path, values] of Object.entries(await readAll(toy))) {
    values.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[path][i], 5);
    });
  }
  toy.dispose();
  objective.module.dispose();
});
