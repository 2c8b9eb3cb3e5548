import { readFile } from 'node:fs/promises';
import { toTheirs } from '@mmllm/checkpoints';
import { ConfigError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { janus } from './index';

// What it computes is compared by parity, within the case of the whole model.

describe('janus', () => {
  it('has the published size, shape-only', () => {
    expect(janus(janus.checkpoint.config({})).countParameters()).toBe(303_688_704);
  });

  it('fits pictures into a grey square, as the published processor does', async () => {
    const path = '../../../../fixtures/cases/images-janus/base/preprocessor_config.json';
    const file = JSON.parse(await readFile(new URL(path, import.meta.url), 'utf8'));
    const tower = janus({ ...janus.checkpoint.config({}), imageSize: file.size.height });
    expect(tower.preprocessing).toEqual({
      kind: 'fixed',
      size: { height: file.size.height, width: file.size.width },
      fit: 'letterbox',
      resample: 'bicubic',
      background: [127, 127, 127],
      minShortEdge: 14,
      rescale: 1 / 255,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    });
  });

  it('has its own name for the projection behind the attention', () => {
    const names = janus.checkpoint.names(janus.checkpoint.config({}));
    const [{ key }] = toTheirs(names, 'layers.3.selfAttention.outProj.weight');
    expect(key).toBe('model.vision_model.encoder.layers.3.self_attn.projection_layer.weight');
  });

  it.each([
    { vision_config: { use_qk_norm: true } },
    { vision_config: { attention_bias: false } },
    { vision_config: { hidden_act: 'mish' } },
    { vision_config: { patch_size: [8, 16] } },
  ])('refuses %j', (json) => {
    expect(() => janus.checkpoint.config(json)).toThrow(ConfigError);
  });

  it('has no tiles', () => {
    const config = { ...janus.checkpoint.config({}), tiling: { maxTiles: 2 } };
    expect(() => janus(config)).toThrow(ConfigError);
  });
});
