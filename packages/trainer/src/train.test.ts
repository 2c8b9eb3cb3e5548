import { startBackend } from '@mmllm/backends';
import { memoryStorage } from '@mmllm/checkpoints';
import { expectNoLeak } from '@mmllm/conformance';
import { ConfigError, FreezePolicyError, Module, NonFiniteError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { frozen, type ObjectiveStage, type TrainingEvent, type TrainingStep, train, trained } from '.';
import { type Point, points, readAll, regression, Toy } from './testing/toy';

beforeAll(() => startBackend({ backend: 'cpu' }));

type Settings = Partial<ObjectiveStage<Point>>;

/** Runs `use` with a toy and a stage for it, and frees both. */
async function withToy<T>(
  use: (toy: Toy, stage: (settings?: Settings) => ObjectiveStage<Point>) => Promise<T>,
): Promise<T> {
  const toy = new Toy();
  toy.initialize();
  const objective = regression(toy);
  try {
    return await use(toy, (settings) => ({
      name: 'fit',
      policy: [['**', trained()]],
      objective,
      data: points,
      steps: 6,
      batchSize: 4,
      learningRate: 0.05,
      ...settings,
    }));
  } finally {
    toy.dispose();
    objective.module.dispose();
  }
}

async function collect(run: AsyncIterable<TrainingStep>): Promise<TrainingStep[]> {
  const steps: TrainingStep[] = [];
  for await (const step of run) steps.push(step);
  return steps;
}

describe('train', () => {
  it('learns', () =>
    withToy(async (toy, stage) => {
      const steps = await collect(train(toy, { stages: [stage({ epochs: 40, steps: undefined })] }));
      expect(steps).toHaveLength(200);
      const mean = (part: TrainingStep[]) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
      expect(mean(steps.slice(-20))).toBeLessThan(0.05 * mean(steps.slice(0, 5)));
      const { stage: name, step, steps: total, learningRate } = steps[9];
      expect({ name, step, total }).toEqual({ name: 'fit', step: 10, total: 200 });
      expect(learningRate).toBeCloseTo(0.05 * 0.5 * (1 + Math.cos((Math.PI * 3) / 194)), 12);
      for (const { tokensPerSecond, secondsLeft } of steps) {
        expect(tokensPerSecond).toBeGreaterThan(0);
        expect(secondsLeft).toBeGreaterThanOrEqual(0);
      }
    }));

  it('gives the same twice in a row, and something else with another seed', async () => {
    const once = (seed: number) =>
      withToy(async (toy, stage) => {
        const steps = await collect(train(toy, { stages: [stage()], seed }));
        return { losses: steps.map(({ loss }) => loss), weights: await readAll(toy) };
      });
    const first = await once(1);
    expect(await once(1)).toEqual(first);
    expect((await once(2)).losses).not.toEqual(first.losses);
  });

  it('runs once, whether awaited, read, or both', () =>
    withToy(async (toy, stage) => {
      const summary = await train(toy, { stages: [stage()] });
      expect([summary.steps, summary.last?.step]).toEqual([6, 6]);
      const run = train(toy, { stages: [stage()] });
      expect(await collect(run)).toHaveLength(6);
      expect((await run).steps).toBe(6);
      expect(await collect(run)).toHaveLength(0);
    }));

  it('stops when the reader leaves, and frees everything', () =>
    withToy(async (toy, stage) => {
      await train(toy, { stages: [stage()] });
      await expectNoLeak(async () => {
        const run = train(toy, { stages: [stage()] });
        for await (const step of run) if (step.step === 2) break;
        expect((await run).steps).toBe(2);
      });
    }));

  it('leaves as many tensors as before, after each step and at the end', () =>
    withToy(async (toy, stage) => {
      await train(toy, { stages: [stage({ steps: 1 })] });
      const counts = new Set<number>();
      await expectNoLeak(async () => {
        for await (const _ of train(toy, { stages: [stage({ accumulate: 3 })] }))
          counts.add(tf.memory().numTensors);
      });
      expect(counts.size).toBe(1);
    }));

  it('averages the gradients of micro-batches', async () => {
    const weights = (settings: Settings) =>
      withToy(async (toy, stage) => {
        const steps = await collect(train(toy, { stages: [stage({ steps: 1, ...settings })] }));
        return { weights: await readAll(toy), loss: steps[0].loss, norm: steps[0].gradientNorm };
      });
    const [whole, parts] = [await weights({ batchSize: 12 }), await weights({ batchSize: 4, accumulate: 3 })];
    expect(parts.loss).toBeCloseTo(whole.loss, 6);
    expect(parts.norm).toBeCloseTo(whole.norm, 6);
    for (const [path, values] of Object.entries(whole.weights)) {
      for (const [i, value] of values.entries()) expect(parts.weights[path][i]).toBeCloseTo(value, 5);
    }
  });

  it('leaves a parameter alone that takes no part in the loss', () =>
    withToy(async (toy, stage) => {
      await train(toy, { stages: [stage({ weightDecay: 0.5 })] });
      expect([...(await toy.unused.read())]).toEqual([1, 1, 1, 1]);
    }));

  it('refuses a stage in which nothing takes part in the loss', () =>
    withToy(async (toy, stage) => {
      await train(toy, { stages: [stage({ steps: 1 })] });
      const policy = [
        ['unused', trained()],
        ['**', frozen],
      ] as const;
      await expectNoLeak(() =>
        expect(train(toy, { stages: [stage({ policy })] })).rejects.toThrow(ConfigError),
      );
    }));
});

describe('frozen parts', () => {
  const policy = [
    ['encoder', frozen],
    ['**', trained()],
  ] as const;
  /** Paths of the parameters that a stage changed. */
  const changed = (settings: Settings) =>
    withToy(async (toy, stage) => {
      const before = await readAll(toy);
      await train(toy, { stages: [stage(settings)] });
      const after = await readAll(toy);
      return Object.keys(before).filter((path) =>
        before[path].some((value, i) => !Object.is(value, after[path][i])),
      );
    });

  it('are bit-identical after a stage', async () => {
    expect(await changed({ policy })).toEqual(['decoder.weight', 'decoder.bias']);
  });

  it('would be noticed if they were not', async () => {
    expect(await changed({})).toEqual(['encoder.weight', 'encoder.bias', 'decoder.weight', 'decoder.bias']);
  });

  it('cost no gradient and no optimiser state', () =>
    withToy(async (toy, stage) => {
      const alive = async (settings: Settings) => {
        for await (const _ of train(toy, { stages: [stage(settings)] })) return tf.memory().numTensors;
      };
      await train(toy, { stages: [stage({ steps: 1 })] });
      const before = tf.memory().numTensors;
      // Two means for decoder weight, bias, the unused parameter and the objective's scale; and two more of the encoder.
      expect([await alive({ policy }), await alive({})]).toEqual([before + 8, before + 12]);
    }));
});

describe('stages', () => {
  it('are announced with their freeze table before the first step', () =>
    withToy(async (toy, stage) => {
      const events: TrainingEvent[] = [];
      const stages = [
        stage({
          name: 'one',
          steps: 1,
          policy: [
            ['encoder', trained({ learningRateScale: 0.1 })],
            ['**', frozen],
          ],
        }),
        stage({
          name: 'two',
          steps: 1,
          policy: [
            ['objective', frozen],
            ['**', trained()],
          ],
        }),
      ] as const;
      await train(toy, { stages, onEvent: (event) => events.push(event) });
      expect(events.map(({ type, stage }) => `${type} ${stage}`)).toEqual([
        'stage one',
        'step one',
        'stage two',
        'step two',
      ]);
      expect(events[0]).toMatchObject({
        policy: [
          { component: 'encoder', parameters: 9, trained: 9, learningRates: [0.005000000000000001] },
          { component: 'decoder', parameters: 4, trained: 0, learningRates: [] },
          { component: 'unused', parameters: 4, trained: 0, learningRates: [] },
          { component: 'objective', parameters: 1, trained: 0, learningRates: [] },
        ],
      });
    }));

  it('are all checked before the first step', () =>
    withToy(async (toy, stage) => {
      const stages = [
        stage({ name: 'one' }),
        stage({ name: 'two', policy: [['encoder', trained()]] }),
      ] as const;
      const run = train(toy, { stages });
      const before = await readAll(toy);
      await expect(run).rejects.toThrow(FreezePolicyError);
      await expect(collect(train(toy, { stages }))).rejects.toThrow("stage 'two'.policy");
      expect(await readAll(toy)).toEqual(before);
    }));

  it.each<[string, Settings]>([
    ["stage 'fit'.steps: expected a positive whole number, got 0", { steps: 0 }],
    ["stage 'fit': expected either steps or epochs, got both", { epochs: 1 }],
    ["stage 'fit': expected either steps or epochs, got neither", { steps: undefined }],
    ["stage 'fit'.batchSize: expected a positive whole number, got 1.5", { batchSize: 1.5 }],
    ["stage 'fit'.learningRate: expected a number from 0 on, got NaN", { learningRate: Number.NaN }],
    ["stage 'fit'.betas: expected two numbers from 0 to 1, without 1, got 0.9,1", { betas: [0.9, 1] }],
    ["stage 'fit'.clipNorm: expected a positive number, got 0", { clipNorm: 0 }],
    ["stage 'fit'.data: expected at least one sample, got none", { data: [] }],
    ["stages: expected names of letters, digits, - and _, got '../fit'", { name: '../fit' }],
  ])('%s', (message, settings) =>
    withToy((toy, stage) => expect(train(toy, { stages: [stage(settings)] })).rejects.toThrow(message)),
  );

  it.each(['checkpointEvery', 'keepCheckpoints'])('%s: expected a positive whole number, got 0', (key) =>
    withToy((toy, stage) =>
      expect(train(toy, { stages: [stage()], [key]: 0 })).rejects.toThrow(
        `${key}: expected a positive whole number`,
      ),
    ),
  );

  it('have names of their own', () =>
    withToy((toy, stage) =>
      expect(train(toy, { stages: [stage(), stage()] })).rejects.toThrow("'fit' twice"),
    ));

  it('are tied to samples of their objective by types', () =>
    withToy(async (toy, stage) => {
      const questions = [{ prompt: 'a', answer: 'b' }];
      // Never called: what counts is what the compiler accepts.
      const accepted = () =>
        train(toy, { stages: [stage(), { name: 'chat', policy: [], data: questions }, stage()] });
      const refused = () => [
        // @ts-expect-error points are no questions, and language modelling is what a stage does by itself
        train(toy, { stages: [{ name: 'fit', policy: [], data: points }] }),
        // @ts-expect-error questions for an objective of points
        train(toy, { stages: [{ ...stage(), data: questions }] }),
      ];
      expect([typeof accepted, typeof refused]).toEqual(['function', 'function']);
    }));

  it('need an objective for anything but a composed model', () =>
    withToy(async (toy) => {
      const stage = {
        name: 'chat',
        policy: [['**', trained()]],
        data: [{ prompt: 'a', answer: 'b' }],
        steps: 1,
      } as const;
      await expect(train(toy, { stages: [stage] })).rejects.toThrow(
        "stage 'chat'.objective: expected an objective",
      );
    }));
});

describe('a step that is no finite number', () => {
  class Broken extends Module {
    constructor(readonly toy: Toy) {
      super();
    }
  }
  const failure = async (run: PromiseLike<unknown>): Promise<NonFiniteError> => {
    const error = await Promise.resolve(run).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (NonFiniteError.isInstance(error)) return error;
    throw new Error(`expected a NonFiniteError, got ${error}`);
  };

  it('names step and component, is not applied, and keeps the last checkpoint', () =>
    withToy(async (toy, stage) => {
      const storage = memoryStorage();
      let weights = await readAll(toy);
      const data = {
        length: 20,
        get: (i: number) => (i === 7 ? { ...points[i], y: Number.NaN } : points[i]),
      };
      const run = train(toy, {
        stages: [stage({ data, batchSize: 1, steps: 40 })],
        checkpoints: storage,
        checkpointEvery: 1,
      });
      let last = 0;
      const error = await failure(
        (async () => {
          for await (const step of run) {
            last = step.step;
            weights = await readAll(toy);
          }
        })(),
      );
      expect(error.component).toBe(`stage 'fit', step ${last + 1}`);
      expect(error.actual).toBe('a loss of NaN, beginning in the loss');
      expect(await readAll(toy)).toEqual(weights);
      const folder = `01-fit-${String(last).padStart(6, '0')}`;
      expect((await storage.list()).filter((name) => name.startsWith(folder))).toHaveLength(3);
      expect(error.hint).toContain(`the last checkpoint is '${folder}'`);
    }));

  it('says so when there is no checkpoint', () =>
    withToy(async (toy, stage) => {
      const data = points.map((point) => ({ ...point, y: Number.NaN }));
      for (const checkpoints of [undefined, memoryStorage()]) {
        const { hint } = await failure(train(toy, { stages: [stage({ data })], checkpoints }));
        expect(hint).toContain('there is no checkpoint');
      }
    }));

  it('names a weight that is the cause', () =>
    withToy(async (toy, stage) => {
      toy.decoder.bias.assign(Float32Array.of(Number.POSITIVE_INFINITY));
      await train(toy, { stages: [stage()] }).then(
        () => {},
        () => {},
      );
      await expectNoLeak(async () => {
        const { actual } = await failure(train(new Broken(toy), { stages: [stage()] }));
        expect(actual).toBe('a loss of Infinity, beginning in toy.decoder.bias');
      });
    }));

  it('names the first component whose output is the cause', () =>
    withToy(async (toy, stage) => {
      toy.decoder.weight.assign(Float32Array.of(3e38, 3e38, 3e38));
      toy.encoder.bias.assign(Float32Array.of(9, 9, 9));
      expect((await failure(train(toy, { stages: [stage()] }))).actual).toContain('beginning in decoder');
    }));

  it('names the gradient that is the cause', () =>
    withToy(async (toy, stage) => {
      const objective = regression(toy);
      const steep: typeof objective = {
        ...objective,
        prepare: async (samples, context) => {
          const batch = await objective.prepare(samples, context);
          // The root of zero has an infinite slope.
          const root = () => tf.tidy(() => tf.mean(tf.sqrt(tf.mul(toy.encoder.bias.value, 0))) as tf.Scalar);
          return { tokens: 1, loss: root, dispose: () => batch.dispose() };
        },
      };
      const error = await failure(train(toy, { stages: [stage({ objective: steep })] }));
      expect(error.actual).toBe('a gradient norm of NaN, beginning in the gradient of encoder.bias');
      objective.module.dispose();
    }));
});
