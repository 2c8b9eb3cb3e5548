import { ConfigError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { type CrossAttentionOptions, resolveConfig } from './config';

const decoder = { hiddenSize: 96, numLayers: 8 };
const resolve = (options: CrossAttentionOptions, of = decoder) =>
  resolveConfig('crossAttention', options, of);

describe('the layers that look at pictures', () => {
  it.each([
    [{ every: 1 }, [0, 1, 2, 3, 4, 5, 6, 7]],
    [{ every: 4 }, [3, 7]],
    [{ every: 5 }, [4]],
    [{ every: 8 }, [7]],
    [{ layers: [5, 2, 5] }, [2, 5]],
    [{ layers: [0, 7] }, [0, 7]],
  ])('for %o stand before %o', (options, places) => {
    expect(resolve(options).places).toEqual(places);
  });

  it('stand where those of Llama 3.2 Vision do: cross_attention_layers 3, 8, … 38 count both kinds', () => {
    const { places } = resolve({ every: 4 }, { hiddenSize: 4096, numLayers: 32 });
    expect(places.map((layer, i) => layer + i)).toEqual([3, 8, 13, 18, 23, 28, 33, 38]);
  });

  it.each([
    [{ every: 9 }, "crossAttention.every: expected at most the decoder's 8 layers, got 9."],
    [{ layers: [1, 8] }, 'crossAttention.layers: expected layers from 0 to 7, got [1, 8].'],
    [{ layers: [] }, 'crossAttention.layers'],
    [{ every: 0 }, 'crossAttention.every'],
    [{ every: 2, layers: [1] }, 'either every or layers'],
    [{}, 'either every or layers'],
    [{ every: 2, heads: 3 }, 'unknown key heads'],
  ])('are refused for %o', (options, text) => {
    // What JavaScript callers may pass: the types forbid most of these.
    const wrong = options as CrossAttentionOptions;
    expect(() => resolve(wrong)).toThrow(ConfigError);
    expect(() => resolve(wrong)).toThrow(text);
  });
});

it.each([
  [96, 2],
  [512, 8],
  [576, 9],
  [4096, 64],
  [48, 1],
  [100, 2],
])('a width of %i gets %i heads of at most 64', (hiddenSize, numHeads) => {
  expect(resolve({ every: 1 }, { hiddenSize, numLayers: 1 }).layer.numHeads).toBe(numHeads);
});
