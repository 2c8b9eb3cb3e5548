import { startBackend } from '@mmllm/backends';
import { assertTensorsClose } from '@mmllm/conformance';
import { ConfigError, type ImageTokens } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { picture, randomRows, tiny } from '../testing/tiny';
import { type PerceiverResamplerConfig, perceiverResampler } from '.';

beforeAll(() => startBackend({ backend: 'wasm' }));

const withPlaces = 'perceiverResampler with places';

describe('perceiverResampler', () => {
  it('has the size of OpenFlamingo’s', () => {
    const projector = perceiverResampler().build({ inputSize: 1024, outputSize: 1024 });
    const block = 3 * 2 * 1024 + 4 * 1024 * 512 + 2 * 1024 * 4096;
    expect(projector.countParameters()).toBe(64 * 1024 + 6 * block + 2 * 1024);
    const wider = perceiverResampler().build({ inputSize: 1024, outputSize: 2048 });
    expect(wider.countParameters() - projector.countParameters()).toBe(1024 * 2048 + 2048);
  });

  it('takes the frames of a video together, as views or in one grid', async () => {
    const projector = tiny(withPlaces);
    const features = randomRows(12);
    const views = picture(
      [
        [2, 3],
        [2, 3],
      ],
      { role: 'frame' },
    );
    const grid = picture([[2, 3]], { frames: 2 });
    const [a, b] = [views, grid].map((image) => projector.project({ features, images: [image] }));
    expect(a.images).toEqual(b.images);
    expect(a.images).toEqual([
      { views: [{ role: 'image', start: 0, count: 2, prefix: 0, grid: undefined }] },
    ]);
    await assertTensorsClose(a.features, b.features, { tolerance: 1e-6 });
    tf.dispose([features, a.features, b.features]);
    projector.dispose();
  });

  it('tells frames and places apart, by what it has for them', async () => {
    const turned = async (name: string, image: ImageTokens) => {
      const projector = tiny(name);
      const features = randomRows(8);
      const swapped = tf.tidy(() => {
        const [first, second] = tf.split<tf.Tensor2D>(features, 2);
        return tf.concat2d([second, first], 0);
      });
      const [a, b] = [features, swapped].map(
        (x) => projector.project({ features: x, images: [image] }).features,
      );
      const far = tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]);
      tf.dispose([features, swapped, a, b]);
      projector.dispose();
      return far;
    };
    const video = picture([[2, 2]], { frames: 2 });
    expect(await turned('perceiverResampler', video)).toBeLessThan(1e-5);
    expect(await turned(withPlaces, video)).toBeGreaterThan(1e-2);
  });

  it('does not see padding', async () => {
    const projector = tiny('perceiverResampler');
    const image = picture([
      [2, 2],
      [2, 2],
    ]);
    const mask = Uint8Array.of(1, 1, 0, 0, 1, 1, 0, 0);
    const features = randomRows(8);
    const seen = tf.tidy(() => tf.gather(features, [0, 1, 4, 5]));
    const masked = projector.project({ features, images: [image], mask });
    const short = projector.project({
      features: seen,
      images: [
        picture([
          [1, 2],
          [1, 2],
        ]),
      ],
    });
    await assertTensorsClose(masked.features, short.features, { tolerance: 1e-5 });
    tf.dispose([features, seen, masked.features, short.features]);
    projector.dispose();
  });

  it.each([
    ['more frames', picture([[1, 1]], { frames: 3 }), 'at most 2 frames', '3'],
    [
      'more views',
      picture([
        [1, 1],
        [1, 1],
        [1, 1],
      ]),
      'at most 2 media in a picture',
      '3',
    ],
    [
      'tokens in front of frames',
      picture([[1, 1]], { frames: 2, prefix: 1 }),
      '2 frames of equally many tokens',
      '1 tokens in front of them',
    ],
  ])('%s are a ShapeError', (_, image, expected, actual) => {
    const projector = tiny(withPlaces);
    const component = "projector 'perceiver-resampler'";
    expect(() => projector.layout([image])).toThrow(
      expect.objectContaining({ name: 'ShapeError', component, expected, actual }),
    );
    projector.dispose();
  });

  it('reads the arguments of the class, with its defaults', () => {
    const { config } = perceiverResampler.checkpoint;
    expect(config({})).toEqual({ numLayers: 6, numHeads: 8, headSize: 64, numLatents: 64, mlpRatio: 4 });
    expect(config({ max_num_media: 3, max_num_frames: null })).toMatchObject({ maxMedia: 3 });
    expect(() => config({ model_type: 'resampler' })).toThrow(ConfigError);
    expect(() => perceiverResampler({ depth: 2 } as PerceiverResamplerConfig)).toThrow(ConfigError);
  });
});
