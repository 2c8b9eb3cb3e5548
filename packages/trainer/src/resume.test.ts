import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBackend } from '@mmllm/backends';
import { bufferSource, type CheckpointStorage, memoryStorage, openSafetensors } from '@mmllm/checkpoints';
import { fileStorage } from '@mmllm/checkpoints/node';
import { expectNoLeak } from '@mmllm/conformance';
import { CheckpointError, NonFiniteError } from '@mmllm/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { augmented, frozen, type ObjectiveStage, type TrainingEvent, train, trained } from '.';
import { type Point, points, readAll, regression, Toy } from './testing/toy';

beforeAll(() => startBackend({ backend: 'cpu' }));

interface World {
  readonly toy: Toy;
  readonly stages: readonly [ObjectiveStage<Point>, ObjectiveStage<Point>];
}

/** Two stages with an objective each, over points that get noise of their own each time. */
async function withWorld<T>(use: (world: World) => Promise<T>): Promise<T> {
  const toy = new Toy();
  toy.initialize();
  const [first, second] = [regression(toy), regression(toy)];
  const data = augmented(points, ({ x, y }, random) => ({ x, y: y + 0.1 * random.normal() }));
  const shared = { data, steps: 5, batchSize: 3, learningRate: 0.05 };
  try {
    return await use({
      toy,
      stages: [
        { ...shared, name: 'fit', policy: [['**', trained()]], objective: first },
        {
          ...shared,
          name: 'tune',
          policy: [
            ['encoder', frozen],
            ['**', trained({ learningRateScale: 0.5 })],
          ],
          objective: second,
          accumulate: 2,
        },
      ],
    });
  } finally {
    toy.dispose();
    for (const { module } of [first, second]) module.dispose();
  }
}

const stopped = new Error('stopped');

/** Runs, aborting as soon as `until` steps were seen; returns what it saw. */
async function run(
  world: World,
  checkpoints: CheckpointStorage | string,
  { until = 99, resume = true } = {},
) {
  const controller = new AbortController();
  const losses: number[] = [];
  const events: TrainingEvent[] = [];
  const { signal } = controller;
  const { toy, stages } = world;
  const onEvent = (event: TrainingEvent) => events.push(event);
  try {
    for await (const { loss } of train(toy, { stages, checkpoints, resume, signal, onEvent })) {
      if (losses.push(loss) === until) controller.abort(stopped);
    }
  } catch (error) {
    if (error !== stopped) throw error;
  }
  return { losses, events };
}

/** Everything that was learned: the model, and what the objectives brought along. */
async function learned({ toy, stages }: World) {
  const [first, second] = await Promise.all(stages.map(({ objective }) => readAll(objective.module!)));
  return { model: await readAll(toy), first, second };
}

describe('resume', () => {
  // In the middle of both stages, at their ends, and after the first step.
  it.each([1, 3, 5, 6, 9, 10])('goes on bit by bit after step %i of 10', async (until) => {
    const whole = await withWorld(async (world) => {
      const { losses } = await run(world, memoryStorage());
      return { losses, weights: await learned(world) };
    });
    expect(whole.losses).toHaveLength(10);
    const storage = memoryStorage();
    const begun = await withWorld((world) => run(world, storage, { until }));
    expect(begun.losses).toEqual(whole.losses.slice(0, until));
    await withWorld(async (world) => {
      const rest = await run(world, storage);
      expect(rest.losses).toEqual(whole.losses.slice(until));
      expect(await learned(world)).toEqual(whole.weights);
    });
  });

  it('depends on the optimiser state that was saved', async () => {
    const lossesAfter = async (without?: string) => {
      const storage = memoryStorage();
      await withWorld((world) => run(world, storage, { until: 3 }));
      const name = '01-fit-000003/optimizer.safetensors';
      if (without) await storage.write(name, await zeroTensor(storage, name, without));
      return withWorld(async (world) => (await run(world, storage)).losses);
    };
    expect(await lossesAfter('decoder.weight.v')).not.toEqual(await lossesAfter());
  });

  it('begins where there is no checkpoint', () =>
    withWorld(async (world) => {
      expect((await run(world, memoryStorage(), { resume: true })).losses).toHaveLength(10);
    }));

  it('has nothing to do after the last step', async () => {
    const storage = memoryStorage();
    const weights = await withWorld(async (world) => {
      await run(world, storage);
      return learned(world);
    });
    await withWorld(async (world) => {
      const { losses, events } = await run(world, storage);
      expect(losses).toEqual([]);
      expect(events).toEqual([{ type: 'resume', stage: 'tune', step: 5, folder: '02-tune-000005' }]);
      expect(await learned(world)).toEqual(weights);
    });
  });

  it('works with a folder of the file system', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mmllm-trainer-'));
    try {
      const place = join(folder, 'run');
      const whole = await withWorld((world) => run(world, memoryStorage()));
      const begun = await withWorld((world) => run(world, place, { until: 7 }));
      const rest = await withWorld((world) => run(world, place));
      expect([...begun.losses, ...rest.losses]).toEqual(whole.losses);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/** A safetensors file with zeros in the place of one tensor. */
async function zeroTensor(storage: CheckpointStorage, name: string, tensor: string): Promise<Uint8Array> {
  const source = await storage.open(name);
  const bytes = (await source.read(0, source.size)).slice();
  const file = await openSafetensors(bufferSource(bytes));
  const { start, end } = file.tensors.get(tensor)!;
  return bytes.fill(0, start, end);
}

describe('checkpoints', () => {
  it('come at every so many steps and at the end of a stage; the newest two stay', () =>
    withWorld(async ({ toy, stages }) => {
      const folders: string[] = [];
      const onEvent = (event: TrainingEvent) => {
        if (event.type === 'checkpoint') folders.push(event.folder);
      };
      const checkpoints = memoryStorage();
      await train(toy, { stages, checkpoints, checkpointEvery: 2, onEvent });
      expect(folders).toEqual([
        '01-fit-000002',
        '01-fit-000004',
        '01-fit-000005',
        '02-tune-000002',
        '02-tune-000004',
        '02-tune-000005',
      ]);
      const files = ['model.safetensors', 'optimizer.safetensors', 'state.json'];
      expect(await checkpoints.list()).toEqual(
        folders.slice(-2).flatMap((folder) => files.map((file) => `${folder}/${file}`)),
      );
    }));

  it('hold the parameters of objectives, and optimiser state of trained parameters only', () =>
    withWorld(async (world) => {
      const storage = memoryStorage();
      await run(world, storage);
      const names = async (file: string) =>
        [...(await openSafetensors(await storage.open(`02-tune-000005/${file}`))).tensors.keys()].sort();
      expect(await names('model.safetensors')).toEqual([
        'decoder.bias',
        'decoder.weight',
        'encoder.bias',
        'encoder.weight',
        'objectives.fit.scale',
        'objectives.tune.scale',
        'unused',
      ]);
      expect(await names('optimizer.safetensors')).toEqual(
        ['decoder.bias', 'decoder.weight', 'objective.scale', 'unused'].flatMap((path) => [
          `${path}.m`,
          `${path}.v`,
        ]),
      );
    }));

  it('are not written over by a new run', async () => {
    const storage = memoryStorage();
    await withWorld((world) => run(world, storage, { until: 1 }));
    const again = withWorld((world) => run(world, storage, { resume: false }));
    await expect(again).rejects.toThrow(
      "expected a place without checkpoints for a new run, got one with '01-fit-000001'",
    );
  });

  it.each(['memory', 'folder'])('with values that are no finite numbers replace none, %s', (kind) =>
    withWorld(async ({ toy, stages }) => {
      const folder = await mkdtemp(join(tmpdir(), 'mmllm-trainer-'));
      const checkpoints = kind === 'memory' ? memoryStorage() : fileStorage(folder);
      try {
        const losses: number[] = [];
        const go = async () => {
          const run = train(toy, { stages, checkpoints, checkpointEvery: 2, keepCheckpoints: 1 });
          for await (const { step, loss } of run) {
            losses.push(loss);
            // Takes part in no loss, so that only the checkpoint can notice.
            if (step === 3) toy.unused.assign(Float32Array.of(1, Number.NaN, 1, 1));
          }
        };
        const error = await go().then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(NonFiniteError.isInstance(error) && [error.component, error.actual]).toEqual([
          'unused',
          'NaN',
        ]);
        const files = ['model.safetensors', 'optimizer.safetensors', 'state.json'];
        expect(await checkpoints.list()).toEqual(files.map((file) => `01-fit-000002/${file}`));
      } finally {
        await rm(folder, { recursive: true });
      }
    }),
  );

  it('leave no tensor behind', () =>
    withWorld(async (world) => {
      await run(world, memoryStorage());
      const storage = memoryStorage();
      await expectNoLeak(() => run(world, storage, { until: 2 }));
      await expectNoLeak(() => run(world, storage));
    }));
});

describe('a checkpoint that cannot be used', () => {
  const refusal = async (
    spoil: (storage: CheckpointStorage) => Promise<void>,
    change: (world: World) => World = (w) => w,
  ) => {
    const storage = memoryStorage();
    await withWorld((world) => run(world, storage, { until: 2 }));
    await spoil(storage);
    return withWorld(async (world) => {
      const before = await readAll(world.toy);
      const error: unknown = await run(change(world), storage).then(
        () => undefined,
        (reason) => reason,
      );
      expect(await readAll(world.toy)).toEqual(before);
      if (CheckpointError.isInstance(error)) return error;
      throw new Error(`expected a CheckpointError, got ${error}`);
    });
  };
  const rewrite =
    (name: string, change: (bytes: Uint8Array) => Uint8Array) => async (storage: CheckpointStorage) => {
      const source = await storage.open(name);
      await storage.write(name, change(await source.read(0, source.size)));
    };
  const text = (change: (text: string) => string) => (bytes: Uint8Array) =>
    new TextEncoder().encode(change(new TextDecoder().decode(bytes)));
  const model = '01-fit-000002/model.safetensors';
  const optimizer = '01-fit-000002/optimizer.safetensors';
  const state = '01-fit-000002/state.json';

  it.each([0, 7, 100, -1])('optimizer.safetensors, cut off at %i', async (end) => {
    expect((await refusal(rewrite(optimizer, (bytes) => bytes.slice(0, end)))).component).toBe(optimizer);
  });

  it.each([
    ['"decoder.bias": 2', '"other.bias": 2'],
    ['"decoder.bias": 2', '"decoder.bias": -1'],
  ])('state.json with updates %s changed to %s', async (before, after) => {
    const error = await refusal(
      rewrite(
        state,
        text((json) => {
          expect(json).toContain(before);
          return json.replace(before, after);
        }),
      ),
    );
    expect([error.component, error.expected]).toEqual([
      state,
      "the number of optimiser steps of 'decoder.bias'",
    ]);
  });

  it.each([0, 7, 100, -1])('model.safetensors, cut off at %i', async (end) => {
    expect((await refusal(rewrite(model, (bytes) => bytes.slice(0, end)))).component).toBe(model);
  });

  it('model.safetensors of another model', async () => {
    // Both names have as many letters, so the header stays as long as it says.
    const rename = (bytes: Uint8Array) => {
      const start = String.fromCharCode(...bytes).indexOf('unused');
      return bytes.map((byte, i) => (i >= start && i < start + 6 ? 'absent'.charCodeAt(i - start) : byte));
    };
    const error = await refusal(rewrite(model, rename));
    expect([error.component, error.actual]).toEqual([model, "'absent' too"]);
  });

  it('state.json, cut off', async () => {
    expect((await refusal(rewrite(state, (bytes) => bytes.slice(0, 50)))).component).toBe(state);
  });

  it('state.json of another format', async () => {
    const error = await refusal(
      rewrite(
        state,
        text((json) => json.replace('/v1', '/v9')),
      ),
    );
    expect(error.expected).toBe('a state of format mmllm-training/v1');
  });

  it('a file that is missing', async () => {
    const error = await refusal((storage) => storage.remove(state));
    expect(error.message).toContain('01-fit-000002');
  });

  it('a run with other settings', async () => {
    const error = await refusal(
      async () => {},
      ({ toy, stages: [first, second] }) => ({ toy, stages: [{ ...first, learningRate: 0.06 }, second] }),
    );
    expect(error.message).toContain(
      "expected stage 'fit'.learningRate 0.05, as when the run began, got 0.06",
    );
  });
});

describe('abort', () => {
  it('by a timer or a signal of the system gets its turn on the cpu', () =>
    withWorld(async ({ toy, stages: [stage] }) => {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(stopped), 30);
      const stages = [{ ...stage, steps: 1_000_000 }] as const;
      await expect(train(toy, { stages, signal: controller.signal })).rejects.toBe(stopped);
      clearTimeout(timer);
    }));

  it('before the first step writes nothing', () =>
    withWorld(async ({ toy, stages }) => {
      const checkpoints = memoryStorage();
      const signal = AbortSignal.abort(stopped);
      await expect(train(toy, { stages, checkpoints, signal })).rejects.toBe(stopped);
      expect(await checkpoints.list()).toEqual([]);
    }));

  it('in the middle of preparing a batch keeps what was learned', () =>
    withWorld(async ({ toy, stages: [stage] }) => {
      const controller = new AbortController();
      const { signal } = controller;
      const checkpoints = memoryStorage();
      const get = (index: number) => {
        if (++taken === 8) controller.abort(stopped);
        return points[index];
      };
      let taken = 0;
      const stages = [{ ...stage, data: { length: points.length, get } }] as const;
      await expect(train(toy, { stages, checkpoints, signal })).rejects.toBe(stopped);
      expect(await checkpoints.list()).toContain('01-fit-000002/state.json');
    }));
});

it('the log holds every event as a line of JSON, over several runs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mmllm-trainer-'));
  try {
    const log = join(folder, 'logs', 'train.jsonl');
    const events: TrainingEvent[] = [];
    const onEvent = (event: TrainingEvent) => events.push(event);
    for (let i = 0; i < 2; i++)
      await withWorld(async ({ toy, stages }) => train(toy, { stages, log, onEvent }));
    const lines = (await readFile(log, 'utf8')).trimEnd().split('\n');
    const logged = lines.map((line) => JSON.parse(line) as TrainingEvent & { time: string });
    expect(logged.map(({ time, ...event }) => event)).toEqual(events);
    for (const { time } of logged) expect(new Date(time).toISOString()).toBe(time);
  } finally {
    await rm(folder, { recursive: true });
  }
});
