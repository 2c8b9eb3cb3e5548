import { readFileSync } from 'node:fs';
import { startBackend } from '@mmllm/backends';
import {
  bufferSource,
  loadWeights,
  openSafetensors,
  safetensorsWeights,
  saveWeights,
  type WeightSource,
} from '@mmllm/checkpoints';
import { dequantize, type GgufEntry, GgufFile, ggufWeights } from '@mmllm/checkpoints/gguf';
import { ConfigError, type Decoder } from '@mmllm/core';
import { ropeFrequencies } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openParityCase } from '../../../cli/src/parity';
import { fixtureFiles } from '../../../cli/src/testing/case-files';
import { openGgufFixture } from '../testing/gguf';
import { llama } from './index';

beforeAll(() => startBackend({ backend: 'cpu' }));
afterEach(() => tf.disposeVariables());

async function fromGguf(file: GgufFile): Promise<Decoder> {
  const config = await llama.gguf.config(file);
  const decoder = llama(config);
  await loadWeights(decoder, ggufWeights(file), llama.gguf.names(config));
  return decoder;
}

/** Every value of two decoders is the same. */
async function expectSame(actual: Decoder, expected: Decoder) {
  expect(actual.countParameters()).toBe(expected.countParameters());
  for (const [path, parameter] of expected.namedParameters()) {
    expect(await actual.parameter(path).read(), path).toEqual(await parameter.read());
  }
}

describe('llama.gguf', () => {
  it('reads what llama.cpp writes as what transformers writes', async () => {
    const golden = await openParityCase(fixtureFiles('decoder-llama/base'));
    const config = llama.checkpoint.config(await golden.config());
    const expected = llama(config);
    await loadWeights(expected, await golden.weights(), llama.checkpoint.names());
    const file = await openGgufFixture('llama.gguf');
    const { initializerRange: _, ...rest } = config;
    expect(await llama.gguf.config(file)).toEqual({
      ...rest,
      rmsNormEps: Math.fround(rest.rmsNormEps ?? Number.NaN),
      ropeScaling: undefined,
    });
    await expectSame(await fromGguf(file), expected);
  });

  it('reads a quantised model whose embedding is the head', async () => {
    const file = await openGgufFixture('llama-tied.gguf');
    const config = await llama.gguf.config(file);
    expect(config).toMatchObject({
      tieWordEmbeddings: true,
      numKeyValueHeads: 1,
      headSize: 16,
      ropeTheta: 50_000,
    });
    const path = new URL('../../../../fixtures/gguf/llama-tied.safetensors', import.meta.url);
    const values = safetensorsWeights(await openSafetensors(bufferSource(readFileSync(path))));
    const expected = llama(config);
    await loadWeights(expected, values, llama.checkpoint.names());
    await expectSame(await fromGguf(file), expected);
  });

  it('writes the order of rows that it reads', async () => {
    const file = await openGgufFixture('llama.gguf');
    const decoder = await fromGguf(file);
    const names = llama.gguf.names(await llama.gguf.config(file));
    const saved = new Map(saveWeights(decoder, names));
    expect(new Set(saved.keys())).toEqual(new Set(file.tensors.keys()));
    for (const [name, tensor] of saved) {
      expect(await tensor.read(), name).toEqual(dequantize(await file.read(name)));
    }
  });

  it('takes biases of queries and keys apart as their weights', async () => {
    const decoder = llama({ vocabSize: 4, hiddenSize: 8, numLayers: 1, numHeads: 2, attentionBias: true });
    const names = llama.gguf.names({ numHeads: 2 });
    const rows = Float32Array.from({ length: 8 }, (_, row) => row);
    const source: WeightSource = {
      name: 'memory',
      keys: () => ['blk.0.attn_q.bias', 'blk.0.attn_v.bias'],
      shape: () => [8],
      read: async () => rows,
    };
    await loadWeights(decoder, source, names, { strict: false });
    const read = (name: string) => decoder.parameter(`layers.0.selfAttention.${name}.bias`).read();
    expect([...(await read('qProj'))]).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
    expect([...(await read('vProj'))]).toEqual([...rows]);
  });
});

/** The fixture with other metadata or another tensor `rope_freqs.weight`. */
async function changed(entries: Record<string, GgufEntry['value'] | undefined>, divisors?: Float32Array) {
  const file = await openGgufFixture('llama.gguf');
  const metadata = new Map(file.metadata);
  for (const [key, value] of Object.entries(entries)) {
    if (value === undefined) metadata.delete(key);
    else metadata.set(key, { type: 'UINT32', value });
  }
  const tensors = new Map(file.tensors);
  if (divisors) {
    tensors.set('rope_freqs.weight', {
      type: 'F32',
      shape: [divisors.length],
      start: 0,
      end: divisors.byteLength,
    });
  }
  const bytes = new Uint8Array(divisors?.buffer ?? new ArrayBuffer(0));
  return new GgufFile(bufferSource(bytes, 'changed.gguf'), { metadata, tensors });
}

describe('llama.gguf.config', () => {
  it('takes what is left out from the other entries', async () => {
    const config = await llama.gguf.config(
      await changed({
        'llama.attention.head_count_kv': undefined,
        'llama.rope.dimension_count': undefined,
        'llama.rope.freq_base': undefined,
        'llama.vocab_size': undefined,
      }),
    );
    expect(config).toMatchObject({
      numKeyValueHeads: undefined,
      headSize: 8,
      ropeTheta: 10_000,
      vocabSize: 120,
    });
  });

  it.each([
    [
      { 'llama.rope.scaling.type': 'linear', 'llama.rope.scaling.factor': 4 },
      { type: 'linear', factor: 4 },
    ],
    [{ 'llama.rope.scale_linear': 2 }, { type: 'linear', factor: 2 }],
    [{ 'llama.rope.scaling.type': 'none', 'llama.rope.scaling.factor': 4 }, undefined],
    [{ 'llama.rope.scaling.factor': 1 }, undefined],
  ])('reads the scaling %o', async (entries, scaling) => {
    expect((await llama.gguf.config(await changed(entries))).ropeScaling).toEqual(scaling);
  });

  it('finds the scaling of Llama 3.1 in its divisors', async () => {
    const scaling = {
      type: 'llama3',
      factor: 32,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositions: 8192,
    } as const;
    const rope = { dim: 64, theta: 500_000 };
    const scaled = ropeFrequencies({ ...rope, scaling });
    const divisors = ropeFrequencies(rope).map((frequency, i) => frequency / scaled[i]);
    const entries = { 'llama.rope.dimension_count': 64, 'llama.rope.freq_base': 500_000 };
    const { ropeScaling } = await llama.gguf.config(await changed(entries, divisors));
    expect(ropeScaling).toEqual(scaling);
    divisors[16] *= 1.01;
    await expect(llama.gguf.config(await changed(entries, divisors))).rejects.toThrow('at index 16');
    await expect(llama.gguf.config(await changed(entries, divisors.slice(1)))).rejects.toThrow('[31]');
  });

  it.each<[Record<string, GgufEntry['value'] | undefined>, string]>([
    [{ 'general.architecture': 'gemma' }, "'llama', got gemma"],
    [{ 'llama.block_count': undefined }, 'block_count'],
    [{ 'llama.block_count': 'two' }, 'block_count'],
    [{ 'llama.block_count': 3 }, 'blk.2.attn_norm.weight'],
    [{ 'llama.block_count': 2n ** 63n }, '9223372036854775808'],
    [{ 'llama.attention.head_count': [6, 6] }, '[6,6]'],
    [{ 'llama.attention.value_length': 4 }, 'value_length 4'],
    [{ 'llama.rope.dimension_count': 4, 'llama.attention.key_length': 8 }, 'rope.dimension_count 4'],
    [{ 'llama.rope.scaling.type': 'yarn' }, 'yarn'],
    [{ 'llama.expert_count': 8 }, 'expert_count'],
    [{ 'llama.attention.sliding_window': 4096 }, 'attention.sliding_window'],
  ])('refuses %o', async (entries, message) => {
    const error = await llama.gguf.config(await changed(entries)).catch((error: unknown) => error);
    expect(ConfigError.isInstance(error)).toBe(true);
    expect((error as ConfigError).message).toContain(message);
  });
});
