import { startBackend } from '@mmllm/backends';
import { assertTensorsClose } from '@mmllm/conformance';
import { ConfigError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { averagePooling } from '../average-pooling';
import { pictures, randomRows, tiny } from '../testing/tiny';
import { type PooledMlpConfig, pooledMlp } from '.';

beforeAll(() => startBackend({ backend: 'wasm' }));

const sizes = { inputSize: 1152, outputSize: 4096 };

describe('pooledMlp', () => {
  it('gives 182 tokens for 27×27, a newline after each row', () => {
    const [{ views }] = pooledMlp()
      .build(sizes)
      .layout(pictures([27, 27]));
    expect(views).toEqual([
      { role: 'image', start: 0, count: 182, prefix: 0, grid: { frames: 1, rows: 13, columns: 14 } },
    ]);
    expect(
      pooledMlp({ newline: 'none' })
        .build(sizes)
        .layout(pictures([27, 27]))[0].views[0].count,
    ).toBe(169);
  });

  it('counts the convolution, the layers and the newline', () => {
    const layers = 1152 * 4096 + 4096 + 4096 * 4096 + 4096;
    expect(pooledMlp({ pooling: 'mean', newline: 'none' }).build(sizes).countParameters()).toBe(layers);
    expect(pooledMlp().build(sizes).countParameters()).toBe(layers + 4 * 1152 * 1152 + 1152 + 4096);
  });

  it('ends every row of every picture with the newline, whatever their width', async () => {
    const projector = tiny('pooledMlp of convolutions');
    const features = randomRows(44);
    const mask = new Uint8Array(44).fill(1, 0, 16);
    const out = projector.project({ features, images: pictures([4, 4], [4, 4], [2, 6]), mask });
    const ends = [2, 5, 8, 11, 15];
    const found = tf.tidy(() => tf.gather(out.features, ends));
    const newline = projector.parameter('newline').value;
    const expected = tf.tidy(() => tf.mul(tf.ones([5, 1]), newline));
    await assertTensorsClose(found, expected, { tolerance: 1e-6 });
    expect([...(out.mask ?? [])]).toEqual([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    tf.dispose([features, out.features, found, expected]);
    projector.dispose();
  });

  it('reads its configuration', () => {
    const { config } = pooledMlp.checkpoint;
    expect(config({ projector_config: { pooling: 'mean', pool_size: 3, newline: null } })).toEqual({
      pooling: 'mean',
      poolSize: 3,
      newline: 'none',
      activation: 'gelu',
    });
    expect(() => config({ projector_config: { pooling: 'max' } })).toThrow(ConfigError);
    expect(() => config({})).toThrow(ConfigError);
    expect(() => pooledMlp({ pooling: 'max' } as unknown as PooledMlpConfig)).toThrow(ConfigError);
  });
});

describe('averagePooling', () => {
  it('gives means, and only where widths differ a layer', async () => {
    const same = averagePooling({ poolSize: 3 }).build({ inputSize: 6, outputSize: 6 });
    expect(same.countParameters()).toBe(0);
    expect(averagePooling().build({ inputSize: 6, outputSize: 5 }).countParameters()).toBe(35);
    const features = randomRows(9);
    const { features: pooled } = same.project({ features, images: pictures([3, 3]) });
    const expected = tf.tidy(() => tf.mean(features, 0, true));
    await assertTensorsClose(pooled, expected, { tolerance: 1e-6 });
    tf.dispose([features, pooled, expected]);
  });

  it('refuses windows larger than the grid', () => {
    const projector = averagePooling({ poolSize: 4 }).build({ inputSize: 6, outputSize: 6 });
    expect(() => projector.layout(pictures([3, 9]))).toThrow(
      expect.objectContaining({
        component: "projector 'average-pooling'",
        expected: 'a grid of at least 4×4 tokens',
        actual: 'one of 3×9',
      }),
    );
  });
});
