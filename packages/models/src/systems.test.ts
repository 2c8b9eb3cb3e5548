import { startBackend } from '@mmllm/backends';
import { loadWeights, saveWeights } from '@mmllm/checkpoints';
import { ConfigError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openParityCase, type ParityCase } from '../../cli/src/parity';
import { fixtureFiles } from '../../cli/src/testing/case-files';
import { composeSystem, type System, systemOf, systems } from './index';
import { systemCases } from './testing/cases';

beforeAll(() => startBackend({ backend: 'wasm' }));
afterEach(() => tf.disposeVariables());

const open = (name: string): Promise<ParityCase> => openParityCase(fixtureFiles(name));

describe('a system', () => {
  it('has a case each', () => {
    expect(systemCases).toHaveLength(systems.length);
  });

  it.each(systemCases.flat())(
    'has all weights of %s, and writes them under the names it read',
    async (name) => {
      const golden = await open(name);
      const json = await golden.config();
      const { model, names } = await composeSystem(systemOf(json), json);
      const weights = await golden.weights();
      expect(model.countParameters()).toBeGreaterThan(0);
      await loadWeights(model, weights, names);
      const saved = new Map(saveWeights(model, names));
      for (const [key, tensor] of saved) {
        expect(tensor.shape, key).toEqual(weights.shape(key));
        expect(await tensor.read(), key).toEqual(await weights.read(key));
      }
      // What a system leaves out is what its class keeps and does not use.
      const left = [...weights.keys()].filter((key) => !saved.has(key));
      for (const key of left)
        expect(key).toMatch(/post_layernorm|layernorm_post|inv_freq|vision_tower\.head|num_batches_tracked/);
      model.dispose();
      await golden.close();
    },
  );

  it('is refused by its name where nobody knows it', () => {
    expect(() => systemOf({ model_type: 'gpt5' })).toThrow(ConfigError);
    expect(() => systemOf({ model_type: 'gpt5' })).toThrow("got 'gpt5'");
    expect(() => systemOf({})).toThrow(ConfigError);
  });

  it('is refused for a tower or a decoder that nobody knows', async () => {
    const golden = await open('llava/base');
    const json = await golden.config();
    for (const part of ['vision_config', 'text_config']) {
      const changed = { ...json, [part]: { ...(json[part] as object), model_type: 'novel' } };
      await expect(composeSystem(systemOf(json), changed)).rejects.toThrow(`config.json ${part}.model_type`);
    }
    await golden.close();
  });
});

describe('what makes pictures', () => {
  /** A case's configuration with other values in one of its parts, and a value of undefined left out. */
  const changed = async (name: string, part: string, values: Readonly<Record<string, unknown>>) => {
    const golden = await open(name);
    const json = await golden.config();
    await golden.close();
    const both = Object.entries({ ...(json[part] as object), ...values });
    const kept = Object.fromEntries(both.filter(([, value]) => value !== undefined));
    return composeSystem(systemOf(json), { ...json, [part]: kept });
  };

  it.each<[string, string, string, Record<string, unknown>, string]>([
    [
      'one word too few',
      'emu3/base',
      'vocabulary_map',
      { '<|visual token 000049|>': undefined },
      'vocabulary_map',
    ],
    [
      'words out of order',
      'emu3/base',
      'vocabulary_map',
      { '<|visual token 000003|>': 62 },
      'vocabulary_map',
    ],
    ['more codes than words', 'emu3/base', 'vq_config', { codebook_size: 200 }, 'vocabulary_map'],
    [
      'vectors of another width',
      'janus/base',
      'vq_config',
      { projection_dim: 40 },
      'vq_config.projection_dim',
    ],
  ])('is refused for %s', async (_, name, part, values, component) => {
    const composing = changed(name, part, values);
    await expect(composing).rejects.toThrow(ConfigError);
    await expect(composing).rejects.toThrow(component);
  });

  it('finds the words of codes at the end of the vocabulary where the file does not say', async () => {
    const golden = await open('emu3/base');
    const { vocabulary_map, ...json } = await golden.config();
    await golden.close();
    const { model } = await composeSystem(systemOf(json), json);
    expect(model.encoder).toBeUndefined();
    expect(model.generator).toMatchObject({ name: 'vocabulary-codes', tokenizer: { codebookSize: 50 } });
  });

  it('a system has all that sees, or nothing of it', async () => {
    const golden = await open('llava/base');
    const json = await golden.config();
    const half: System = {
      ...systemOf(json),
      wire: (...args) => ({ ...systemOf(json).wire(...args), fusion: undefined }),
    };
    await expect(composeSystem(half, json)).rejects.toThrow('got encoder and projector');
    await golden.close();
  });
});
