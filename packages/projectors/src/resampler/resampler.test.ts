import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { picture, pictures, randomRows, tiny } from '../testing/tiny';
import { type ResamplerConfig, resampler } from '.';

beforeAll(() => startBackend({ backend: 'wasm' }));

describe('resampler', () => {
  it('has the size of Aria’s', () => {
    const config = resampler.checkpoint.config({});
    const projector = resampler(config).build({ inputSize: 1152, outputSize: 2560 });
    expect(projector.countParameters()).toBe(20_427_136);
  });

  it('gives as many tokens as the number of patches asks for', () => {
    const projector = resampler({ numHeads: 16 }).build({ inputSize: 1152, outputSize: 2560 });
    const images = [
      picture([
        [35, 35],
        [70, 70],
      ]),
    ];
    expect(projector.layout(images)[0].views.map(({ start, count, grid }) => [start, count, grid])).toEqual([
      [0, 128, undefined],
      [128, 256, undefined],
    ]);
    expect(() => projector.layout(pictures([34, 35]))).toThrow(
      expect.objectContaining({
        name: 'ShapeError',
        component: "projector 'resampler'",
        expected: 'views of 1225 or 4900 tokens',
        actual: 'one of 1190',
      }),
    );
  });

  it('does not see padding', async () => {
    await expectNoLeak(async () => {
      const projector = tiny('resampler');
      const images = pictures([2, 4], [2, 4]);
      const mask = Uint8Array.from({ length: 16 }, (_, i) => Number(i % 8 < 5));
      const features = randomRows(16);
      const noisy = tf.tidy(() => {
        const keeps = tf.tensor2d(Float32Array.from(mask), [16, 1]);
        return tf.where(tf.greater(keeps, 0), features, randomRows(16, 6, 9)) as tf.Tensor2D;
      });
      const [a, b, unmasked] = [
        projector.project({ features, images, mask }),
        projector.project({ features: noisy, images, mask }),
        projector.project({ features, images }),
      ];
      expect(a.mask).toBeUndefined();
      await assertTensorsClose(a.features, b.features, { tolerance: 0 });
      await expect(assertTensorsClose(a.features, unmasked.features, { tolerance: 1e-3 })).rejects.toThrow();
      tf.dispose([features, noisy, a.features, b.features, unmasked.features]);
      projector.dispose();
    });
  });

  it('reads config.json', () => {
    expect(
      resampler.checkpoint.config({
        projector_patch_to_query_dict: { 16: 3, 64: 6 },
        vision_config: { hidden_size: 36, num_attention_heads: 3 },
      }),
    ).toEqual({ numHeads: 3, inputSize: 36, queries: { 16: 3, 64: 6 } });
  });

  it.each([
    ['no queries', { numHeads: 2, queries: {} }, 'resampler.queries'],
    ['a key that is no number', { numHeads: 2, queries: { many: 2 } }, 'resampler.queries.many'],
    ['no heads', {}, 'resampler.numHeads'],
  ])('%s are a ConfigError', (_, config, component) => {
    expect(() => resampler(config as ResamplerConfig)).toThrow(
      expect.objectContaining({ name: 'ConfigError', component }),
    );
  });

  it('another width than it was read for, and heads that do not divide it, are refused at composition', () => {
    const sizes = { inputSize: 6, outputSize: 4 };
    expect(() => resampler({ numHeads: 2, inputSize: 8 }).build(sizes)).toThrow(ShapeError);
    expect(() => resampler({ numHeads: 4 }).build(sizes)).toThrow(ConfigError);
    expect(() => resampler.checkpoint.names({ numHeads: 2 })).toThrow(ConfigError);
  });
});
