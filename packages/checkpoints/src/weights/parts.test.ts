import { WeightError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { encodeSafetensors, type TensorInput } from '../safetensors/encode';
import { openSafetensors } from '../safetensors/file';
import { bufferSource } from '../source';
import { fillParameters } from './fill';
import { hostModule } from './host-module';
import { loadWeights } from './load';
import { type NameMap, type NameRule, prefixMap, toOurs, toTheirs } from './name-map';
import { findGap } from './parts';
import { saveWeights } from './save';
import { safetensorsWeights, type WeightSource } from './source';

type Shapes = Readonly<Record<string, readonly number[]>>;

const product = (shape: readonly number[]) => shape.reduce((size, dimension) => size * dimension, 1);

/** Every value says where it stands. */
const counted = (shape: readonly number[], start: number): TensorInput => ({
  dtype: 'F32',
  shape: [...shape],
  data: Float32Array.from({ length: product(shape) }, (_, i) => start + i),
});

async function fileOf(shapes: Shapes): Promise<WeightSource> {
  const tensors = Object.entries(shapes).map(([key, shape], i): [string, TensorInput] => [
    key,
    counted(shape, 1000 * i),
  ]);
  return safetensorsWeights(await openSafetensors(bufferSource(encodeSafetensors(tensors), 'file')));
}

/** A joint projection head by head, as Persimmon has it: 2 heads of 3 rows each for queries, keys and values. */
const fused: NameRule[] = ['q', 'k', 'v'].flatMap((name, index): NameRule[] => [
  { ours: `${name}.weight`, theirs: 'qkv.weight', layout: 'linear', blocks: { size: 3, index, of: 3 } },
  { ours: `${name}.bias`, theirs: 'qkv.bias', blocks: { size: 3, index, of: 3 } },
]);

/** Gate and up side by side in each expert, as Aria has them. */
const sideBySide: NameRule[] = [
  { ours: 'gate', theirs: 'fc1', columns: [0, 2] },
  { ours: 'up', theirs: 'fc1', columns: [2, 4] },
];

/** Experts one by one. */
const stacked: NameRule[] = [
  { ours: '{i}.gate', theirs: '{i}.experts.{e}.gate', stacked: 'e', layout: 'linear' },
  { ours: '{i}.plain', theirs: '{i}.experts.{e}.plain', stacked: 'e' },
];

/** A table in two tensors, as Molmo has it. */
const below: NameRule[] = [
  { ours: 'table', theirs: 'old', ourRows: [0, 4] },
  { ours: 'table', theirs: 'new', ourRows: [4, 6] },
];

const cases: [name: string, rules: NameRule[], ours: Shapes, theirs: Shapes][] = [
  [
    'blocks of rows',
    fused,
    {
      'q.weight': [5, 6],
      'k.weight': [5, 6],
      'v.weight': [5, 6],
      'q.bias': [6],
      'k.bias': [6],
      'v.bias': [6],
    },
    { 'qkv.weight': [18, 5], 'qkv.bias': [18] },
  ],
  ['columns', sideBySide, { gate: [3, 5, 2], up: [3, 5, 2] }, { fc1: [3, 5, 4] }],
  [
    'stacked tensors',
    stacked,
    { '0.gate': [12, 3, 2], '0.plain': [12, 2] },
    Object.fromEntries(
      Array.from({ length: 12 }, (_, e) => [
        [`0.experts.${e}.gate`, [2, 3]],
        [`0.experts.${e}.plain`, [2]],
      ]).flat() as [string, number[]][],
    ),
  ],
  ['tensors below each other', below, { table: [6, 3] }, { old: [4, 3], new: [2, 3] }],
];

describe.each(cases)('%s', (_, rules, ours, theirs) => {
  const map: NameMap = { rules };

  it('load into parameters and are saved as they were', async () => {
    const source = await fileOf(theirs);
    const module = hostModule(ours);
    await loadWeights(module, source, map);
    const saved = new Map(saveWeights(module, map));
    expect([...saved.keys()].sort()).toEqual([...source.keys()].sort());
    for (const [key, tensor] of saved) {
      expect(tensor.shape).toEqual(source.shape(key));
      expect(await tensor.read()).toEqual(await source.read(key));
    }
    const values = Object.keys(ours).flatMap((path) => [...module.parameter(path).values!]);
    expect(new Set(values).size).toBe(values.length);
  });

  it('come piece by piece as they come at once, also from a source that only reads whole tensors', async () => {
    const source = await fileOf(theirs);
    const { readRows: _readRows, ...whole } = source;
    const [expected, actual, wholly] = [hostModule(ours), hostModule(ours), hostModule(ours)];
    await loadWeights(expected, source, map);
    await loadWeights(wholly, whole, map);
    const fillings = Object.keys(ours).map((path) => ({
      path,
      parameter: actual.parameter(path),
      parts: toTheirs(map, path, ours[path]![0]).map(({ key, rule }) => ({ key, rule })),
    }));
    await fillParameters(source, fillings, { pieceValues: 1, onPart: () => {} });
    for (const path of Object.keys(ours)) {
      expect(actual.parameter(path).values).toEqual(expected.parameter(path).values);
      expect(wholly.parameter(path).values).toEqual(expected.parameter(path).values);
    }
  });

  it('refuse a file that lacks one, and one that has too many', async () => {
    const [first, ...others] = Object.entries(theirs);
    const lacking = fileOf(Object.fromEntries(others));
    const module = hostModule(ours);
    await expect(lacking.then((source) => loadWeights(module, source, map))).rejects.toThrow(first![0]);
    const extra = fileOf({ ...theirs, [`${first![0]}9`]: first![1] });
    await expect(extra.then((source) => loadWeights(module, source, map))).rejects.toThrow(WeightError);
    for (const path of Object.keys(ours)) expect(module.parameter(path).assigned).toBe(0);
  });

  it('refuse a tensor of another size', async () => {
    for (const key of Object.keys(theirs).slice(0, 2)) {
      for (const axis of theirs[key]!.keys()) {
        const odd = theirs[key]!.map((size, i) => (i === axis ? size + 1 : size));
        const source = await fileOf({ ...theirs, [key]: odd });
        await expect(loadWeights(hostModule(ours), source, map)).rejects.toThrow(key);
      }
    }
  });

  it('lead from every key to its parameters and back', () => {
    const moved = prefixMap(map, { ours: 'decoder', theirs: 'model' });
    for (const [path, [count]] of Object.entries(ours)) {
      for (const { key } of toTheirs(moved, `decoder.${path}`, count)) {
        expect(toOurs(moved, key).map((target) => target.path)).toContain(`decoder.${path}`);
      }
    }
  });
});

describe('what parts arrange', () => {
  it('is what the layouts of the published files say', async () => {
    const source = await fileOf({ 'qkv.weight': [18, 5], 'qkv.bias': [18] });
    const module = hostModule(cases[0]![2]);
    await loadWeights(module, source, { rules: fused });
    // Rows of the keys: 3 to 5 of the first head, 12 to 14 of the second.
    expect([...module.parameter('k.bias').values!]).toEqual([1003, 1004, 1005, 1012, 1013, 1014]);
    expect([...module.parameter('v.weight').values!.subarray(0, 6)]).toEqual([30, 35, 40, 75, 80, 85]);

    const experts = hostModule({ gate: [2, 1, 2], up: [2, 1, 2] });
    await loadWeights(experts, await fileOf({ fc1: [2, 1, 4] }), { rules: sideBySide });
    expect([...experts.parameter('up').values!]).toEqual([2, 3, 6, 7]);

    const slices = hostModule({ '0.gate': [2, 3, 1] });
    await loadWeights(slices, await fileOf({ '0.experts.1.gate': [1, 3], '0.experts.0.gate': [1, 3] }), {
      rules: stacked,
    });
    expect([...slices.parameter('0.gate').values!]).toEqual([1000, 1001, 1002, 0, 1, 2]);
  });
});

describe('gaps', () => {
  const sharer = (path: string, rule: object) => ({ path, rule });

  it.each([
    [[sharer('a', { blocks: { size: 1, index: 0, of: 2 } })], 'row 1'],
    [[sharer('a', { blocks: { size: 4, index: 0, of: 2 } })], 'row 4'],
    [[sharer('a', { columns: [0, 2] }), sharer('b', { columns: [1, 4] })], 'column 1 twice, near b'],
    [[sharer('a', { columns: [0, 2] }), sharer('b', { rows: [0, 6] })], 'by rows and by columns'],
    [[sharer('a', { columns: [0, 4] }), sharer('b', {})], 'b takes it whole'],
  ])('%j: %s', (sharers, message) => {
    expect(findGap([6, 4], sharers)).toContain(message);
  });

  it('of our own parameter are refused', async () => {
    const source = await fileOf({ old: [4, 3], new: [2, 3] });
    const load = (rules: NameRule[], shape: number[]) =>
      loadWeights(hostModule({ table: shape }), source, { rules });
    await expect(load(below, [7, 3])).rejects.toThrow('table: row 6 of 7 unused');
    const turned: NameRule[] = [{ ...below[0]!, layout: 'linear' }, below[1]!];
    await expect(load(turned, [6, 3])).rejects.toThrow('ourRows and a layout');
  });
});
