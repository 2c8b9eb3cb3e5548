import { CheckpointError, WeightError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { encodeSafetensors, type TensorInput } from '../safetensors/encode';
import { openSafetensors } from '../safetensors/file';
import { bufferSource } from '../source';
import { type HostModule, hostModule } from './host-module';
import { type LoadOptions, type LoadProgress, loadWeights } from './load';
import type { NameMap } from './name-map';
import { safetensorsWeights, type WeightSource } from './source';

const map: NameMap = {
  rules: [
    { ours: 'proj.weight', theirs: 'model.proj.weight', alternatives: ['proj.weight'], layout: 'linear' },
    { ours: 'proj.bias', theirs: 'model.proj.bias' },
    { ours: 'q', theirs: 'joint', rows: [0, 1] },
    { ours: 'k', theirs: 'joint', rows: [1, 3] },
  ],
  ignore: ['*.position_ids'],
};

const shapes = { 'proj.weight': [3, 2], 'proj.bias': [2], q: [1, 2], k: [2, 2] };

const tensor = (shape: number[], start = 0): TensorInput => ({
  dtype: 'F32',
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) => start + index),
});

const complete = (): Record<string, TensorInput> => ({
  'model.proj.weight': tensor([2, 3]),
  'model.proj.bias': tensor([2], 10),
  joint: tensor([3, 2], 20),
});

const sourceOf = async (tensors: Record<string, TensorInput>): Promise<WeightSource> =>
  safetensorsWeights(await openSafetensors(bufferSource(encodeSafetensors(Object.entries(tensors)), 'tiny')));

const load = async (module: HostModule, tensors: Record<string, TensorInput>, options?: LoadOptions) =>
  loadWeights(module, await sourceOf(tensors), map, options);

/** Loads what must be refused, and makes sure that nothing was assigned. */
async function refusal(
  tensors: Record<string, TensorInput>,
  using = map,
  paths: Record<string, number[]> = shapes,
) {
  const module = hostModule(paths);
  const error = await loadWeights(module, await sourceOf(tensors), using).catch((error: unknown) => error);
  expect(WeightError.isInstance(error)).toBe(true);
  for (const path of Object.keys(paths)) expect(module.parameter(path).assigned).toBe(0);
  return (error as WeightError).message;
}

describe('loadWeights', () => {
  it('fills every parameter once', async () => {
    const module = hostModule(shapes);
    const report = await load(module, { ...complete(), 'embeddings.position_ids': tensor([4]) });
    expect(module.parameter('proj.weight').values).toEqual(Float32Array.of(0, 3, 1, 4, 2, 5));
    expect(module.parameter('proj.bias').values).toEqual(Float32Array.of(10, 11));
    expect(module.parameter('q').values).toEqual(Float32Array.of(20, 21));
    expect(module.parameter('k').values).toEqual(Float32Array.of(22, 23, 24, 25));
    for (const path of Object.keys(shapes)) expect(module.parameter(path).assigned).toBe(1);
    expect(report.loaded.sort()).toEqual(Object.keys(shapes).sort());
  });

  it('takes another spelling', async () => {
    const { 'model.proj.weight': weight, ...rest } = complete();
    const module = hostModule(shapes);
    await load(module, { ...rest, 'proj.weight': weight! });
    expect(module.parameter('proj.weight').values).toEqual(Float32Array.of(0, 3, 1, 4, 2, 5));
  });

  it('converts what is not float32', async () => {
    const module = hostModule(shapes);
    const bias: TensorInput = { dtype: 'BF16', shape: [2], data: Uint16Array.of(0x3f80, 0xc000) };
    await load(module, { ...complete(), 'model.proj.bias': bias });
    expect(module.parameter('proj.bias').values).toEqual(Float32Array.of(1, -2));
  });

  it('reports progress up to the whole', async () => {
    const steps: LoadProgress[] = [];
    await load(hostModule(shapes), complete(), { onProgress: (step) => steps.push(step) });
    expect(steps.map(({ loaded }) => loaded)).toEqual([2, 6, 8, 14]);
    expect(new Set(steps.map(({ total }) => total))).toEqual(new Set([14]));
    expect(steps.at(-1)?.path).toBe('proj.weight');
  });

  it('stops at an abort', async () => {
    const controller = new AbortController();
    const module = hostModule(shapes);
    const onProgress = () => controller.abort(new Error('enough'));
    await expect(load(module, complete(), { signal: controller.signal, onProgress })).rejects.toThrow(
      'enough',
    );
    expect(module.parameter('proj.weight').assigned).toBe(0);
  });

  it('names a missing tensor and its misspelling', async () => {
    const { 'model.proj.bias': bias, ...rest } = complete();
    expect(await refusal({ ...rest, 'model.proj.bais': bias! })).toBe(
      'tiny: expected a tensor for every parameter, and a use for every tensor, got ' +
        "1 missing: proj.bias ('model.proj.bias'; there is 'model.proj.bais'); 1 unexpected: model.proj.bais.",
    );
  });

  it('names a parameter that no rule covers', async () => {
    expect(await refusal(complete(), map, { ...shapes, extra: [1] })).toMatch(
      '1 missing: extra (no rule names it)',
    );
  });

  it('names at most ten of a kind', async () => {
    const extra = Object.fromEntries(
      Array.from({ length: 25 }, (_, i) => [`x${String(i).padStart(2, '0')}`, tensor([1])]),
    );
    const message = await refusal({ ...complete(), ...extra });
    expect(message).toMatch(/25 unexpected: x00, x01, .*x09, and 15 more/);
    expect(message).not.toMatch('x10');
  });

  it('refuses shapes that do not fit, transposed or not', async () => {
    const message = await refusal({
      ...complete(),
      'model.proj.weight': tensor([3, 2]),
      'model.proj.bias': tensor([1, 2]),
    });
    expect(message).toMatch('model.proj.weight [3, 2] for proj.weight [3, 2] in layout linear');
    expect(message).toMatch('model.proj.bias [1, 2] for proj.bias [2]');
  });

  it('refuses one parameter under two names', async () => {
    const message = await refusal({ ...complete(), 'proj.weight': tensor([2, 3]) });
    expect(message).toMatch('1 ambiguous: proj.weight in model.proj.weight and proj.weight');
  });

  it('refuses rows that nobody takes, that are not there, or that two take', async () => {
    expect(await refusal({ ...complete(), joint: tensor([4, 2]) })).toMatch('joint: row 3 of 4 unused');
    expect(await refusal({ ...complete(), joint: tensor([2, 2]) })).toMatch('joint [2, 2] for k [2, 2]');
    expect(await refusal({ ...complete(), joint: tensor([3, 3]) })).toMatch('joint [3, 3] for q [1, 2]');
    const { k: _, ...withoutK } = shapes;
    expect(await refusal(complete(), map, withoutK)).toMatch('joint: row 1 of 3 unused');
    const { q: __, ...withoutQ } = shapes;
    expect(await refusal(complete(), map, withoutQ)).toMatch('joint: row 0 unused, near k');
    const overlapping: NameMap = {
      rules: [...map.rules.slice(0, 3), { ours: 'k', theirs: 'joint', rows: [0, 2] }],
    };
    expect(await refusal(complete(), overlapping)).toMatch('joint: row 0 twice, near k');
  });

  it('refuses one tensor for two parameters', async () => {
    const greedy: NameMap = { rules: [...map.rules.slice(0, 3), { ours: 'k', theirs: 'joint' }] };
    expect(await refusal(complete(), greedy, { ...shapes, k: [3, 2] })).toMatch(
      'joint: k takes it whole, beside q',
    );
  });

  it('refuses a tensor without float32 values before it assigns any', async () => {
    const module = hostModule(shapes);
    const complex: TensorInput = { dtype: 'C64', shape: [2], data: new Uint8Array(16) };
    await expect(load(module, { ...complete(), 'model.proj.bias': complex })).rejects.toThrow(
      CheckpointError,
    );
    for (const path of Object.keys(shapes)) expect(module.parameter(path).assigned).toBe(0);
    await load(module, { ...complete(), 'a.position_ids': complex });
  });

  it('loads what it can when not strict, but never a wrong shape', async () => {
    const module = hostModule({ ...shapes, extra: [1] });
    const { 'model.proj.bias': _, ...rest } = complete();
    const tensors = { ...rest, other: tensor([1]) };
    const report = await load(module, tensors, { strict: false });
    expect(report).toEqual({
      loaded: expect.any(Array),
      missing: ['proj.bias', 'extra'],
      unexpected: ['other'],
    });
    expect(report.loaded.sort()).toEqual(['k', 'proj.weight', 'q']);
    expect(module.parameter('proj.bias').assigned).toBe(0);

    const wrong = { ...tensors, 'model.proj.weight': tensor([2, 2]) };
    await expect(load(module, wrong, { strict: false })).rejects.toThrow(WeightError);
  });

  it('answers quickly to a file with very many strange names', async () => {
    const strange = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, i) => [`model.${i}.proj.weights.${i}`, tensor([0])]),
    );
    expect(await refusal(strange)).toMatch(/4 missing.*20000 unexpected/);
  });
});
