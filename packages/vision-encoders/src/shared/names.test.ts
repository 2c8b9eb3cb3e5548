import { startBackend } from '@mmllm/backends';
import {
  type LazyTensor,
  loadWeights,
  memoryStorage,
  openModelFolder,
  saveModelFolder,
  saveWeights,
} from '@mmllm/checkpoints';
import { type Module, WeightError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { clip } from '../clip/index';
import { siglip } from '../siglip/index';
import { openCase } from '../testing/golden';
import type { TowerCheckpoint } from './checkpoint';

/** Builds a tower and its names from a `config.json`. */
function builder<C>(factory: ((config: C) => Module) & { checkpoint: TowerCheckpoint<C> }) {
  return (json: unknown) => {
    const config = factory.checkpoint.config(json);
    return { tower: factory(config), names: factory.checkpoint.names(config) };
  };
}

/** Image towers within whole models, and how the case spells their prefix. */
const towers = [
  { name: 'llava/base', build: builder(clip), prefix: 'vision_tower.' },
  { name: 'siglip/base', build: builder(siglip), prefix: 'vision_model.' },
];

/** What Hugging Face has called the tower over time. */
const SPELLINGS = ['vision_tower.vision_model.', 'vision_tower.', 'vision_model.'];

/** The case's weights in several files, with the tower under another prefix. */
async function renamed(name: string, from: string, to: string) {
  const { config, weights } = await openCase(name);
  const tensors = [...weights.keys()].map((key): [string, LazyTensor] => [
    key.startsWith(from) ? to + key.slice(from.length) : key,
    { dtype: 'F32', shape: weights.shape(key), read: () => weights.read(key) },
  ]);
  const storage = memoryStorage();
  await saveModelFolder(storage, 'model', {
    config: config as Record<string, unknown>,
    weights: tensors,
    maxShardBytes: 2 ** 16,
  });
  return openModelFolder(storage, { folder: 'model' });
}

const valuesOf = async (module: Module) => {
  const values = new Map<string, Float32Array>();
  for (const [path, parameter] of module.namedParameters()) values.set(path, await parameter.read());
  return values;
};

describe.each(towers)('the image tower of $name', ({ name, build, prefix }) => {
  it('loads under every spelling, from shards, to the same values, and is saved under the first', async () => {
    await startBackend({ backend: 'cpu' });
    const loaded = [];
    for (const spelling of SPELLINGS) {
      const folder = await renamed(name, prefix, spelling);
      const { tower, names } = build(await folder.config());
      await loadWeights(tower, await folder.weights(), names);
      loaded.push(await valuesOf(tower));
      for (const [key] of saveWeights(tower, names)) expect(key).toMatch(/^vision_model\./);
      tower.dispose();
    }
    expect(loaded[0]!.size).toBeGreaterThan(20);
    for (const other of loaded.slice(1)) expect(other).toEqual(loaded[0]);
  });

  it('does not load under a spelling that nobody used, and says which is near', async () => {
    const folder = await renamed(name, prefix, 'vision_towel.');
    const { tower, names } = build(await folder.config());
    const error = await loadWeights(tower, await folder.weights(), names).catch((e: unknown) => e);
    expect(WeightError.isInstance(error)).toBe(true);
    expect((error as WeightError).message).toMatch(
      /model\/model\.safetensors\.index\.json: .*missing: .* \('vision_model\..*there is 'vision_towel\..*unexpected: vision_towel/,
    );
  });
});
