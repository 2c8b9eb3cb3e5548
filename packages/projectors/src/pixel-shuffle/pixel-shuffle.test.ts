import { ConfigError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { type PixelShuffleMlpConfig, pixelShuffleMlp, pixelShuffleOriginalNames } from '.';

const { config } = pixelShuffleMlp.checkpoint;

describe('pixelShuffleMlp', () => {
  it('has the sizes of NVLM-D 72B and InternVL', () => {
    const count = (of: PixelShuffleMlpConfig, outputSize: number, inputSize: number) =>
      pixelShuffleMlp(of).build({ inputSize, outputSize }).countParameters();
    // LayerNorm of 12,800, 12,800 → 29,568 → 8192 without biases.
    expect(count({ hiddenSize: 29_568, bias: false }, 8192, 3200)).toBe(
      2 * 12_800 + 12_800 * 29_568 + 29_568 * 8192,
    );
    // InternVL3-1B: 4 · 1024 → 896 → 896.
    expect(count({}, 896, 1024)).toBe(2 * 4096 + 4096 * 896 + 896 + 896 * 896 + 896);
  });

  it('reads InternVL as transformers writes it, with the defaults of the class', () => {
    expect(config({})).toEqual({ factor: 2, layerNormEps: 1e-5, activation: 'gelu', bias: true });
    expect(
      config({ model_type: 'internvl', downsample_ratio: 0.25, projector_hidden_act: 'gelu_new' }),
    ).toMatchObject({ factor: 4, activation: 'gelu_tanh' });
  });

  it('reads the files of OpenGVLab and NVIDIA', () => {
    expect(config({ model_type: 'internvl_chat', ps_version: 'v2', downsample_ratio: 0.5 })).toEqual({
      factor: 2,
      layerNormEps: 1e-5,
      activation: 'gelu',
      bias: true,
    });
    const llm_config = { intermediate_size: 29_568 };
    expect(config({ model_type: 'NVLM_D', ps_version: 'v2', llm_config })).toEqual({
      factor: 2,
      layerNormEps: 1e-6,
      activation: 'gelu',
      hiddenSize: 29_568,
      bias: false,
    });
  });

  it('reads the three NVLMs of the golden cases', () => {
    const own = { projector_hidden_size: 96, projector_layer_norm_eps: 1e-5, projector_bias: true };
    expect(config({ model_type: 'NVLM_D', ...own })).toMatchObject({
      hiddenSize: 96,
      layerNormEps: 1e-5,
      bias: true,
    });
    const normed = { model_type: 'normed_mlp', hidden_size: 96, hidden_act: 'gelu', layer_norm_eps: 1e-6 };
    expect(config({ model_type: 'nvlm_h', projector_config: normed })).toEqual({
      factor: 2,
      layerNormEps: 1e-6,
      activation: 'gelu',
      hiddenSize: 96,
      bias: false,
    });
    const linear = { model_type: 'linear', bias: false };
    const ofX = config({ model_type: 'nvlm_x', projector_config: linear });
    expect(ofX).toEqual({ factor: 2, norm: false, numLayers: 1, bias: false });
    const projector = pixelShuffleMlp(ofX).build({ inputSize: 3200, outputSize: 8192 });
    expect(projector.countParameters()).toBe(12_800 * 8192);
  });

  it.each([
    ['a ratio that is no whole factor', { downsample_ratio: 0.4 }],
    ['a ratio above one', { downsample_ratio: 2 }],
    ['version 1', { ps_version: 'v1' }],
    ['OpenGVLab’s default, version 1', { model_type: 'internvl_chat' }],
    ['another model', { model_type: 'llava' }],
    ['another activation', { projector_hidden_act: 'mish' }],
    ['NVLM-D without a width', { model_type: 'NVLM_D' }],
    ['NVLM-H without its projector', { model_type: 'nvlm_h' }],
    ['another projector', { model_type: 'nvlm_h', projector_config: { model_type: 'mlp' } }],
  ])('%s in config.json is a ConfigError', (_, json) => {
    expect(() => config(json)).toThrow(ConfigError);
  });

  it.each([
    ['a factor of 0', { factor: 0 }, 'pixel-shuffle-mlp.factor'],
    ['an unknown key', { ratio: 0.5 }, 'pixel-shuffle-mlp'],
    ['an unknown activation', { activation: 'mish' }, 'pixel-shuffle-mlp.activation'],
  ])('%s is a ConfigError', (_, change, component) => {
    expect(() => pixelShuffleMlp(change as PixelShuffleMlpConfig)).toThrow(
      expect.objectContaining({ name: 'ConfigError', component }),
    );
  });

  it('has the names of both layouts', () => {
    const keys = (names: ReturnType<typeof pixelShuffleOriginalNames>) =>
      names.rules.map(({ theirs }) => theirs);
    expect(keys(pixelShuffleOriginalNames())).toContain('mlp1.3.weight');
    expect(keys(pixelShuffleMlp.checkpoint.names({}))).toContain('multi_modal_projector.linear_2.weight');
    expect(keys(pixelShuffleMlp.checkpoint.names({ numLayers: 1 }, ''))).toContain('linear.weight');
  });
});
