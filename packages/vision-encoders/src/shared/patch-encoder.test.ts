import { startBackend } from '@mmllm/backends';
import { assertTensorsClose } from '@mmllm/conformance';
import { ConfigError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { patchConv } from '../patch-conv';
import { patchLinear } from '../patch-linear';

beforeAll(() => startBackend({ backend: 'wasm' }));

const config = { inputSize: { height: 10, width: 19 }, patchSize: 4, hiddenSize: 6 };
const view = { role: 'image', height: 10, width: 19 } as const;
const images = [0, 1].map(() => ({ views: [view], original: view }));

describe.each([patchLinear, patchConv])('patch encoder %#', (factory) => {
  it('lays its tokens row by row and leaves out what fills no patch', () => {
    const encoder = factory(config);
    encoder.initialize();
    const pixels = tf.randomUniform<tf.Rank.R4>([2, 10, 19, 3]);
    const { features, images: tokens } = encoder.encode({ kind: 'dense', images, pixels });
    expect(features.shape).toEqual([2 * 2 * 4, 6]);
    expect(tokens[1].views[0]).toMatchObject({
      start: 8,
      count: 8,
      prefix: 0,
      grid: { frames: 1, rows: 2, columns: 4 },
    });
    expect(encoder.countParameters()).toBe(4 * 4 * 3 * 6 + 6);
    expect(factory({ ...config, bias: false }).countParameters()).toBe(4 * 4 * 3 * 6);
    tf.dispose([features, pixels]);
    encoder.dispose();
  });

  it('refuses pictures of another size, and what it does not know', () => {
    const encoder = factory({ ...config, inputSize: 8 });
    expect(() => encoder.layout(images)).toThrow(ShapeError);
    expect(() => factory({ ...config, patchSize: 0 })).toThrow(ConfigError);
    expect(() => factory({ ...config, patchSize: 11 })).toThrow(ConfigError);
    expect(() => factory({ ...config, stride: 2 } as never)).toThrow(ConfigError);
  });
});

it('both forms give the same from the same weights', async () => {
  const [product, convolution] = [patchLinear(config), patchConv(config)];
  product.initialize({ seed: 3 });
  for (const [path, parameter] of product.namedParameters()) {
    convolution.parameter(path).assign(await parameter.read());
  }
  const pixels = tf.randomUniform<tf.Rank.R4>([2, 10, 19, 3]);
  const batch = { kind: 'dense', images, pixels } as const;
  const [a, b] = [product.encode(batch).features, convolution.encode(batch).features];
  await assertTensorsClose(a, b, { tolerance: 1e-5 });
  tf.dispose([a, b, pixels]);
  product.dispose();
  convolution.dispose();
});
