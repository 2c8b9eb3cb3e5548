import { CheckpointError, WeightError } from '@mmllm/core';
import { describe, expect, it, vi } from 'vitest';
import { encodeSafetensors, type TensorInput } from '../safetensors/encode';
import { memoryStorage } from '../storage/memory';
import type { CheckpointStorage, FileContent } from '../storage/storage';
import { hostModule } from '../weights/host-module';
import { loadWeights } from '../weights/load';
import type { NameMap } from '../weights/name-map';
import { openModelFolder } from './open';

const encode = (text: string) => new TextEncoder().encode(text);
const tensor = (...values: number[]): TensorInput => ({
  dtype: 'F32',
  shape: [values.length],
  data: Float32Array.from(values),
});

const FIRST = 'model-00001-of-00002.safetensors';
const SECOND = 'model-00002-of-00002.safetensors';

const index = (map: unknown) => encode(JSON.stringify({ metadata: { total_size: 0 }, weight_map: map }));

/** Two shards that hold a, b and c. */
const sharded = (): Record<string, FileContent> => ({
  'config.json': encode('{"model_type":"tiny"}'),
  'model.safetensors.index.json': index({ c: SECOND, a: FIRST, b: FIRST }),
  [FIRST]: encodeSafetensors(Object.entries({ a: tensor(1, 2), b: tensor(3) })),
  [SECOND]: encodeSafetensors(Object.entries({ c: tensor(4, 5, 6) })),
});

async function storageOf(files: Record<string, FileContent>, folder = ''): Promise<CheckpointStorage> {
  const storage = memoryStorage();
  const prefix = folder && `${folder}/`;
  for (const [name, content] of Object.entries(files)) await storage.write(`${prefix}${name}`, content);
  return storage;
}

const open = async (files: Record<string, FileContent>) => openModelFolder(await storageOf(files));

/** What is said about weights that are refused; nothing may stay open. */
async function refusal(files: Record<string, FileContent>): Promise<string> {
  const storage = await storageOf(files);
  let opened = 0;
  const counting = {
    list: storage.list,
    async open(name: string) {
      const source = await storage.open(name);
      opened++;
      return { ...source, close: async () => void opened-- };
    },
  };
  const folder = await openModelFolder(counting);
  const error = await folder.weights().catch((error: unknown) => error);
  expect(CheckpointError.isInstance(error)).toBe(true);
  expect(opened).toBe(0);
  return (error as CheckpointError).message;
}

describe('openModelFolder', () => {
  it('reads the rows of a tensor from its shard alone', async () => {
    const folder = await open(sharded());
    const weights = await folder.weights();
    const { values } = await weights.readRows!('c', 1, 3);
    expect([...values]).toEqual([5, 6]);
    await folder.close();
  });

  it('gives the files that are there, from a folder or the root', async () => {
    const files = {
      'config.json': encode('{"hidden_size":8}'),
      'generation_config.json': encode('{"eos_token_id":[1,2]}'),
      'preprocessor_config.json': encode('{"do_resize":true}'),
      'processor_config.json': encode('{"patch_size":14}'),
      'tokenizer.json': encode('{"version":"1.0"}'),
      'tokenizer_config.json': encode('{"bos_token":"<s>"}'),
      'chat_template.jinja': encode('{{ messages }}'),
      'other.json': encode('{}'),
    };
    for (const path of ['', 'deep/model']) {
      const folder = await openModelFolder(await storageOf(files, path), { folder: path });
      expect(await folder.config()).toEqual({ hidden_size: 8 });
      expect(await folder.generationConfig()).toEqual({ eos_token_id: [1, 2] });
      expect(await folder.preprocessorConfig()).toEqual({ do_resize: true });
      expect(await folder.processorConfig()).toEqual({ patch_size: 14 });
      expect(await folder.tokenizer()).toEqual({ version: '1.0' });
      expect(await folder.tokenizerConfig()).toEqual({ bos_token: '<s>' });
      expect(await folder.chatTemplate()).toBe('{{ messages }}');
      expect(await folder.json('other.json')).toEqual({});
      expect([...folder.names].sort()).toEqual(Object.keys(files).sort());
    }
  });

  it('leaves out what is not there, but for the configuration', async () => {
    const folder = await open({ 'model.safetensors': encodeSafetensors([]) });
    expect(await folder.generationConfig()).toBeUndefined();
    expect(await folder.chatTemplate()).toBeUndefined();
    await expect(folder.config()).rejects.toThrow(/expected 'config.json', got 1 other files/);
    await expect((await open({})).config()).rejects.toThrow(/got no file at all/);
  });

  it.each([
    ['[1]', /expected a JSON object, got an array/],
    ['null', /got null/],
    ['"text"', /got a string/],
    ['{"a":', /expected JSON, got text that breaks its rules/],
    ['', /expected JSON/],
    [Uint8Array.of(0x7b, 0xff, 0x7d), /expected text in UTF-8/],
  ])('refuses %j as a configuration', async (content, message) => {
    const folder = await open({ 'config.json': typeof content === 'string' ? encode(content) : content });
    await expect(folder.config()).rejects.toThrow(CheckpointError);
    await expect(folder.config()).rejects.toThrow(message);
  });

  it('reads one file of weights', async () => {
    const file = encodeSafetensors([['a', tensor(1, 2)]]);
    // An index beside it counts for nothing, as with transformers.
    const folder = await open({ 'model.safetensors': file, 'model.safetensors.index.json': encode('{}') });
    const weights = await folder.weights();
    expect([...weights.keys()]).toEqual(['a']);
    expect(await weights.read('a')).toEqual(Float32Array.of(1, 2));
    expect(weights.name).toBe('model.safetensors');
  });

  it('reads shards as one, file after file, and closes all', async () => {
    const storage = await storageOf(sharded());
    const closed: string[] = [];
    const read: string[] = [];
    const folder = await openModelFolder({
      list: storage.list,
      async open(name) {
        const source = await storage.open(name);
        return {
          ...source,
          read: (start, end) => {
            read.push(`${name} ${start}-${end}`);
            return source.read(start, end);
          },
          close: async () => void closed.push(name),
        };
      },
    });
    const weights = await folder.weights();
    expect(await folder.weights()).toBe(weights);
    expect([...weights.keys()]).toEqual(['a', 'b', 'c']);
    expect(weights.shape('c')).toEqual([3]);
    const headers = read.length;
    expect(await weights.read('c')).toEqual(Float32Array.of(4, 5, 6));
    expect(read.length).toBe(headers + 1);
    expect(() => weights.shape('d')).toThrow(/the name of a tensor in the file, got "d"/);
    await expect(weights.read('d')).rejects.toThrow(CheckpointError);
    closed.length = 0;
    await folder.close();
    expect(closed.sort()).toEqual([FIRST, SECOND]);
  });

  it('tries again after a failure that may pass', async () => {
    const storage = await storageOf(sharded());
    const flaky = vi.fn(storage.open).mockRejectedValueOnce(new Error('offline'));
    const folder = await openModelFolder({ list: storage.list, open: flaky });
    await expect(folder.weights()).rejects.toThrow('offline');
    expect([...(await folder.weights()).keys()]).toEqual(['a', 'b', 'c']);
  });

  it('says what there is instead of weights', async () => {
    expect(await refusal({ 'config.json': encode('{}') })).toMatch(
      /expected 'model.safetensors' or 'model.safetensors.index.json', got neither/,
    );
    expect(await refusal({ 'pytorch_model.bin': encode('x') })).toMatch(
      /got "pytorch_model.bin".*safe_serialization/,
    );
  });
});

describe('an index and its shards', () => {
  const refused = (change: (files: Record<string, FileContent>) => void) => {
    const files = sharded();
    change(files);
    return refusal(files);
  };

  it('must not lack a shard', async () => {
    expect(await refused((files) => delete files[SECOND])).toMatch(
      /model.safetensors.index.json: expected shards that hold what the index says, got 1 missing shards: "model-00002/,
    );
  });

  it('must not name a tensor that is not in its shard', async () => {
    const message = await refused((files) => {
      files['model.safetensors.index.json'] = index({ a: FIRST, b: FIRST, d: FIRST, c: SECOND });
    });
    expect(message).toMatch(/1 in no shard: "d" of 'model-00001/);
  });

  it('must name every tensor', async () => {
    const message = await refused((files) => {
      files['model.safetensors.index.json'] = index({ a: FIRST, c: SECOND });
    });
    expect(message).toMatch(/1 not in the index: "b" of 'model-00001/);
  });

  it('must name it where it is', async () => {
    const message = await refused((files) => {
      files['model.safetensors.index.json'] = index({ a: FIRST, b: SECOND, c: SECOND });
    });
    expect(message).toMatch(/1 in another shard: "b" in 'model-00001.*', not 'model-00002/);
  });

  it('must not have it twice', async () => {
    const message = await refused((files) => {
      files[SECOND] = encodeSafetensors(Object.entries({ b: tensor(9), c: tensor(4, 5, 6) }));
    });
    expect(message).toMatch(/1 in two shards: "b" in 'model-00001.*' and 'model-00002/);
  });

  it('must not be broken', async () => {
    expect(await refused((files) => (files[SECOND] = encode('no safetensors')))).toMatch(/^model-00002/);
  });

  it.each([
    ['[]', /expected a JSON object/],
    ['{}', /an object as 'weight_map', got none/],
    ['{"weight_map":[]}', /an object as 'weight_map', got another value/],
    ['{"weight_map":{"a":1}}', /a safetensors file for "a", got no text/],
    ['{"weight_map":{"a":"../x.safetensors"}}', /a safetensors file for "a", got "\.\.\/x/],
    ['{"weight_map":{"a":"c:\\\\x.safetensors"}}', /a safetensors file for "a"/],
    ['{"weight_map":{"a":"x.bin"}}', /a safetensors file for "a"/],
    ['{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}', /each key once.*"a" twice/],
    ['{"weight_map":', /expected a JSON value/],
  ])('must not read %s', async (text, message) => {
    expect(await refused((files) => (files['model.safetensors.index.json'] = encode(text)))).toMatch(message);
  });
});

describe('loading from shards', () => {
  const map: NameMap = {
    rules: ['a', 'b', 'c'].map((name) => ({ ours: `layer.${name}.weight`, theirs: `model.${name}.weight` })),
  };
  const shapes = { 'layer.a.weight': [2], 'layer.b.weight': [1], 'layer.c.weight': [3] };
  const files = (rename: (name: string) => string = (name) => name) => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => rename(`model.${name}.weight`)) as [
      string,
      string,
      string,
    ];
    return {
      'model.safetensors.index.json': index({ [a]: FIRST, [b]: FIRST, [c]: SECOND }),
      [FIRST]: encodeSafetensors([
        [a, tensor(1, 2)],
        [b, tensor(3)],
      ]),
      [SECOND]: encodeSafetensors([[c, tensor(4, 5, 6)]]),
    };
  };

  it('fills every parameter', async () => {
    const module = hostModule(shapes);
    await loadWeights(module, await (await open(files())).weights(), map);
    expect(module.parameter('layer.a.weight').values).toEqual(Float32Array.of(1, 2));
    expect(module.parameter('layer.c.weight').values).toEqual(Float32Array.of(4, 5, 6));
  });

  it('names parameter, key and what is there instead, for tensors of any shard', async () => {
    const misspelt = files((name) => name.replace('.c.weight', '.c.wight').replace('model.a', 'modal.a'));
    const weights = await (await open(misspelt)).weights();
    const error = await loadWeights(hostModule(shapes), weights, map).catch((error: unknown) => error);
    expect(WeightError.isInstance(error)).toBe(true);
    const { message } = error as WeightError;
    expect(message).toContain('model.safetensors.index.json: expected a tensor for every parameter');
    expect(message).toContain("layer.a.weight ('model.a.weight'; there is 'modal.a.weight')");
    expect(message).toContain("layer.c.weight ('model.c.weight'; there is 'model.c.wight')");
    expect(message).toContain('2 unexpected: modal.a.weight, model.c.wight');
  });

  it('names a shape that does not fit, on both sides', async () => {
    const module = hostModule({ ...shapes, 'layer.c.weight': [4] });
    const weights = await (await open(files())).weights();
    await expect(loadWeights(module, weights, map)).rejects.toThrow(
      'model.c.weight [3] for layer.c.weight [4]',
    );
    for (const path of Object.keys(shapes)) expect(module.parameter(path).assigned).toBe(0);
  });
});
