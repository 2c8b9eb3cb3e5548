import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeSafetensors } from '@mmllm/checkpoints';
import { fileStorage } from '@mmllm/checkpoints/node';
import { ConfigError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { formatInspection, inspectConfig, storedWeights } from '.';

const clipLarge = {
  model_type: 'clip_vision_model',
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  image_size: 336,
  patch_size: 14,
};

const llava = {
  model_type: 'llava',
  torch_dtype: 'bfloat16',
  vision_config: clipLarge,
  text_config: { model_type: 'llama', vocab_size: 32_064 },
};

describe('inspectConfig', () => {
  it('counts LLaVA-1.5-7B to the last parameter, without a tensor', async () => {
    // No backend was started: a tensor would throw.
    expect(await inspectConfig(llava)).toMatchObject({
      modelType: 'llava',
      parameters: 7_063_427_072,
      components: {
        vision: 303_507_456,
        projector: 20_979_712,
        decoder: 6_607_605_760,
        lm_head: 131_334_144,
      },
      dtype: 'bfloat16',
      bytes: 2 * 7_063_427_072,
      tokensPerImage: { width: 336, height: 336, features: 576, inSequence: 576, exact: true },
    });
  });

  it('counts a tower alone, and one with a text twin', async () => {
    const tower = await inspectConfig(clipLarge);
    expect(tower).toMatchObject({ parameters: 303_507_456, dtype: 'float32', bytes: 4 * 303_507_456 });
    const both = await inspectConfig({
      model_type: 'clip',
      vision_config: { ...clipLarge, image_size: 224 },
      text_config: { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12 },
      projection_dim: 768,
    });
    expect(both).toMatchObject({
      parameters: 427_616_513,
      components: { vision: 303_179_776, text: 123_060_480, other: 1_376_257 },
    });
  });

  it('counts a tokenizer of pictures alone, without its running statistics', async () => {
    const { parameters, components, tree } = await inspectConfig({ model_type: 'emu3_vqgan' });
    expect(parameters).toBe(270_740_287);
    expect(components).toEqual({
      encoder: 109_488_252 + 52,
      codebook: 131_072,
      decoder: 161_120_859 + 52,
    });
    const norm = tree.parts!.temporalEncoder!.parts!['blocks.0…1']!.parts!.norm1!;
    expect(norm.parameters).toBe(8);
    expect(norm.parts!.runningMean).toEqual({ parameters: 0, shape: [4] });
    expect((await inspectConfig({ model_type: 'janus_vqgan' })).parameters).toBe(71_883_403);
  });

  it('draws the tree with equal layers as one', async () => {
    const { tree } = await inspectConfig(llava);
    const layers = tree.parts!.decoder.parts!['layers.0…31'];
    expect(layers.parameters).toBe(32 * 202_383_360);
    expect(layers.parts!.selfAttention.parts!.qProj.parts!.weight).toEqual({
      parameters: 4096 * 4096,
      shape: [4096, 4096],
    });
    const text = formatInspection(await inspectConfig(llava));
    expect(text).toContain('7,063,427,072');
    expect(text).toContain('layers.0…31');
    expect(text).toContain('576 tokens of the sequence');
  });

  it.each([
    ['a model type that it does not know', { model_type: 'bert' }],
    ['a name of Object.prototype', { model_type: 'constructor' }],
    ['a tower that it does not know', { ...llava, vision_config: { model_type: 'resnet' } }],
    ['no model type', {}],
    ['no object', [1]],
    ['a dtype that it does not know', { ...clipLarge, dtype: 'int3' }],
  ])('refuses %s', async (_, json) => {
    await expect(inspectConfig(json)).rejects.toSatisfy((error) => ConfigError.isInstance(error));
  });
});

describe('storedWeights', () => {
  it('adds up the headers of a folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mmllm-inspect-'));
    expect(await storedWeights(fileStorage(folder))).toBeUndefined();
    const half = { dtype: 'BF16', shape: [3, 2], data: new Uint8Array(12) } as const;
    const whole = { dtype: 'F32', shape: [1], data: new Uint8Array(4) } as const;
    await writeFile(join(folder, 'model-00001-of-00002.safetensors'), encodeSafetensors([['a', half]]));
    await writeFile(join(folder, 'model-00002-of-00002.safetensors'), encodeSafetensors([['b', whole]]));
    expect(await storedWeights(fileStorage(folder))).toEqual({ bytes: 16, dtype: 'bfloat16' });
    await rm(folder, { recursive: true });
  });
});
