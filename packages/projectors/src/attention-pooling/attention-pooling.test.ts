import { startBackend } from '@mmllm/backends';
import { assertTensorsClose } from '@mmllm/conformance';
import { ConfigError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { pictures, randomRows, tiny } from '../testing/tiny';
import { type AttentionPoolingConfig, attentionPooling } from '.';

beforeAll(() => startBackend({ backend: 'wasm' }));

describe('attentionPooling', () => {
  it('has the size of Molmo-7B-D', () => {
    const config = attentionPooling.checkpoint.config({ intermediate_size: 37_888 });
    const projector = attentionPooling(config).build({ inputSize: 2048, outputSize: 3584 });
    expect(projector.countParameters()).toBe(7_344_128 + 106_692_608);
  });

  it('fills odd grids up with zeros that count, as the published code', async () => {
    const projector = tiny('attentionPooling');
    const features = randomRows(9);
    const odd = projector.project({ features, images: pictures([3, 3]) });
    const filled = tf.tidy(() => {
      const grid = tf.pad3d(tf.reshape(features, [3, 3, 6]), [
        [0, 1],
        [0, 1],
        [0, 0],
      ]);
      return tf.reshape<tf.Rank.R2>(grid, [16, 6]);
    });
    const even = projector.project({ features: filled, images: pictures([4, 4]) });
    await assertTensorsClose(odd.features, even.features, { tolerance: 1e-6 });
    expect(odd.images).toEqual(even.images);
    tf.dispose([features, filled, odd.features, even.features]);
    projector.dispose();
  });

  it('reads the published config.json, which has no word on pooling', () => {
    expect(attentionPooling.checkpoint.config({ model_type: 'molmo', intermediate_size: 37_888 })).toEqual({
      numHeads: 16,
      numKeyValueHeads: 16,
      headSize: 64,
      poolingSize: 1024,
      hiddenSize: 18_944,
      windowRows: 2,
      windowColumns: 2,
    });
  });

  it.each([
    ['another pooling', { image_pooling_2d: 'attention' }],
    ['another projector', { image_projector: 'linear' }],
    ['another activation', { activation_type: 'gelu' }],
    ['no width', { intermediate_size: undefined }],
    ['an odd width', { intermediate_size: 31 }],
  ])('%s in config.json is a ConfigError', (_, json) => {
    expect(() => attentionPooling.checkpoint.config({ intermediate_size: 32, ...json })).toThrow(ConfigError);
  });

  it('heads that do not divide are a ConfigError', () => {
    expect(() => attentionPooling({ numHeads: 5 }).build({ inputSize: 6, outputSize: 4 })).toThrow(
      ConfigError,
    );
    expect(() => attentionPooling({} as AttentionPoolingConfig)).toThrow(ConfigError);
  });
});
