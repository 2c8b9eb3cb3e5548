import { CheckpointError, ConfigError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { fileStorage } from '../node/file-storage';
import type { LazyTensor } from '../safetensors/encode';
import { openSafetensors } from '../safetensors/file';
import { casePath, readCase } from '../safetensors/fixtures';
import { memoryStorage } from '../storage/memory';
import { readText } from '../storage/suite';
import { openModelFolder } from './open';
import { saveModelFolder } from './save';

const lazy = (values: ArrayLike<number>, shape = [values.length]): LazyTensor => ({
  dtype: 'F32',
  shape,
  read: async () => Float32Array.from(values),
});

const weights: [string, LazyTensor][] = [
  ['b', lazy([1, 2, 3, 4], [2, 2])],
  ['a', lazy([5, 6])],
  ['count', { dtype: 'I64', shape: [1], read: async () => BigInt64Array.of(7n) }],
];

describe('saveModelFolder', () => {
  it('writes what openModelFolder reads, in one file', async () => {
    const storage = memoryStorage();
    const files = {
      'generation_config.json': { eos_token_id: 2 },
      'chat_template.jinja': '{{ messages }}',
      'tokenizer.json': new TextEncoder().encode('{"a":1}'),
      'preprocessor_config.json': undefined,
    };
    await saveModelFolder(storage, 'model', { config: { hidden_size: 2 }, weights, files });
    expect(await storage.list()).toEqual([
      'model/chat_template.jinja',
      'model/config.json',
      'model/generation_config.json',
      'model/model.safetensors',
      'model/tokenizer.json',
    ]);
    expect(await readText(storage, 'model/config.json')).toBe('{\n  "hidden_size": 2\n}\n');
    const folder = await openModelFolder(storage, { folder: 'model' });
    expect(await folder.tokenizer()).toEqual({ a: 1 });
    expect(await folder.chatTemplate()).toBe('{{ messages }}');
    const loaded = await folder.weights();
    expect(await loaded.read('b')).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(await loaded.read('count')).toEqual(Float32Array.of(7));
    const file = await openSafetensors(await storage.open('model/model.safetensors'));
    expect(file.metadata).toEqual({ format: 'pt' });
  });

  it('writes shards with an index above a size, in the order of the tensors', async () => {
    const storage = memoryStorage();
    const progress: unknown[] = [];
    await saveModelFolder(storage, 'model', {
      config: {},
      weights,
      maxShardBytes: 16,
      onProgress: (step) => progress.push(step),
    });
    const text = await readText(storage, 'model/model.safetensors.index.json');
    expect(JSON.parse(text)).toEqual({
      metadata: { total_size: 32 },
      weight_map: {
        b: 'model-00001-of-00002.safetensors',
        a: 'model-00002-of-00002.safetensors',
        count: 'model-00002-of-00002.safetensors',
      },
    });
    const loaded = await (await openModelFolder(storage, { folder: 'model' })).weights();
    expect(await loaded.read('a')).toEqual(Float32Array.of(5, 6));
    expect(progress).toEqual([
      { tensor: 'b', written: 16, total: 32 },
      { tensor: 'count', written: 24, total: 32 },
      { tensor: 'a', written: 32, total: 32 },
    ]);
  });

  it('rounds to the type that is asked for, and leaves integers', async () => {
    const values = [1.00390625, 1.01171875, -0, 65519, 65520, 2 ** -25, 3 * 2 ** -25, Infinity, Number.NaN];
    const expected = {
      F32: values,
      // Ties go to the even neighbour: of 1 and 1 + 2^-7, and of 1 + 2^-7 and 1 + 2^-6.
      BF16: [1, 1.015625, -0, 65536, 65536, 2 ** -25, 3 * 2 ** -25, Infinity, Number.NaN],
      F16: [1.00390625, 1.01171875, -0, 65504, Infinity, 0, 2 ** -23, Infinity, Number.NaN],
    } as const;
    for (const dtype of ['F32', 'BF16', 'F16'] as const) {
      const storage = memoryStorage();
      const config = { torch_dtype: 'float64' };
      await saveModelFolder(storage, 'm', { config, weights: [['x', lazy(values)], weights[2]!], dtype });
      const file = await openSafetensors(await storage.open('m/model.safetensors'));
      expect(file.tensors.get('x')!.dtype).toBe(dtype);
      expect(file.tensors.get('count')!.dtype).toBe('I64');
      const folder = await openModelFolder(storage, { folder: 'm' });
      expect(await folder.config()).toEqual({
        torch_dtype: { F32: 'float32', BF16: 'bfloat16', F16: 'float16' }[dtype],
      });
      const loaded = await folder.weights();
      expect([...(await loaded.read('x'))]).toEqual(expected[dtype]);
    }
  });

  it('leaves nothing when a tensor fails or the signal aborts', async () => {
    const storage = memoryStorage();
    const broken: LazyTensor = { dtype: 'F32', shape: [1], read: () => Promise.reject(new Error('broke')) };
    const save = (more: LazyTensor, signal?: AbortSignal) =>
      saveModelFolder(storage, 'm', {
        config: {},
        weights: [...weights, ['z', more]],
        maxShardBytes: 16,
        signal,
      });
    await expect(save(broken)).rejects.toThrow('broke');
    const controller = new AbortController();
    const aborting: LazyTensor = {
      ...broken,
      async read() {
        controller.abort(new Error('enough'));
        return Float32Array.of(1);
      },
    };
    await expect(save(aborting, controller.signal)).rejects.toThrow('enough');
    expect(await storage.list()).toEqual([]);
    await save(lazy([1]));
    await expect(save(lazy([1]))).rejects.toThrow(/expected no 'm' yet/);
  });

  it('refuses names that are taken, and sizes that are none', async () => {
    const storage = memoryStorage();
    const save = (files: Record<string, string>, maxShardBytes?: number) =>
      saveModelFolder(storage, 'm', { config: {}, weights, files, maxShardBytes });
    for (const name of ['config.json', 'model.safetensors', 'model.safetensors.index.json']) {
      await expect(save({ [name]: '{}' })).rejects.toThrow(CheckpointError);
    }
    for (const bytes of [0, -1, Number.NaN]) await expect(save({}, bytes)).rejects.toThrow(ConfigError);
    expect(await storage.list()).toEqual([]);
  });

  it('writes a published model back byte for byte', async () => {
    const source = await openModelFolder(fileStorage(casePath('clip/quick-gelu')), { folder: 'model' });
    const read = await source.weights();
    const entries = [...read.keys()].map((key): [string, LazyTensor] => [
      key,
      { dtype: 'F32', shape: read.shape(key), read: (options) => read.read(key, options) },
    ]);
    const storage = memoryStorage();
    await saveModelFolder(storage, 'm', { config: await source.config(), weights: entries });
    const written = await storage.open('m/model.safetensors');
    const original = readCase('clip/quick-gelu/model/model.safetensors');
    expect(Buffer.compare(await written.read(0, written.size), original)).toBe(0);
    const config = new TextDecoder().decode(readCase('clip/quick-gelu/model/config.json'));
    expect(JSON.parse(await readText(storage, 'm/config.json'))).toEqual(JSON.parse(config));
    await source.close();
  });
});
