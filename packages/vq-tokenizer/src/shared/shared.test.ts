import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, checkGradients, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { CausalConv } from '../emu3/causal-conv';
import { Codebook } from './codebook';
import { enlarge, through } from './resample';

beforeAll(() => startBackend({ backend: 'cpu' }));

it('enlarge repeats pixels both ways, and sums their gradients', async () => {
  await expectNoLeak(async () => {
    const x = tf.randomNormal<tf.Rank.R4>([2, 2, 3, 4], 0, 1, 'float32', 1);
    for (const factor of [1, 2, 3]) {
      const [large, expected] = [
        enlarge(x, factor),
        tf.image.resizeNearestNeighbor(x, [2 * factor, 3 * factor]),
      ];
      await assertTensorsClose(large, expected, { tolerance: 0 });
      await checkGradients((y: tf.Tensor4D) => enlarge(y, factor), [x], { maxElements: 6 });
      tf.dispose([large, expected]);
    }
    x.dispose();
  });
});

it('through frees what is between', () => {
  const x = tf.ones([2]);
  const before = tf.memory().numTensors;
  const alive: number[] = [];
  const step = (y: tf.Tensor) => {
    alive.push(tf.memory().numTensors - before);
    return tf.add(tf.mul(y, 2), 1);
  };
  const y = through(x, [step, step, step]);
  expect(y.dataSync()).toEqual(Float32Array.of(15, 15));
  expect(alive).toEqual([0, 1, 1]);
  expect(tf.memory().numTensors - before).toBe(1);
  tf.dispose([x, y]);
});

it.each([
  { frames: 3, side: 3, stride: 1, length: 1 },
  { frames: 3, side: 1, stride: 1, length: 3 },
  { frames: 4, side: 3, stride: 2, length: 4 },
])('a causal convolution is one over time behind two empty frames: %o', async ({ length, ...options }) => {
  await expectNoLeak(async () => {
    const conv = new CausalConv(2, 3, options);
    conv.initialize({ seed: 1 });
    conv.bias.assign(Float32Array.of(1, -2, 3));
    const x = tf.randomNormal<tf.Rank.R5>([2, length, 3, 4, 2], 0, 1, 'float32', 2);
    const { frames, side, stride } = options;
    const expected = tf.tidy(() => {
      const margin: [number, number] = [(side - 1) / 2, (side - 1) / 2];
      const padded = tf.pad(x, [[0, 0], [2, 0], margin, margin, [0, 0]]);
      const kernel = tf.reshape<tf.Rank.R5>(conv.weight.value, [frames, side, side, 2, 3]);
      return tf.add(tf.conv3d(padded, kernel, [stride, 1, 1], 'valid'), conv.bias.value);
    });
    const y = conv.forward(x);
    await assertTensorsClose(y, expected, { tolerance: 1e-5 });
    await checkGradients((input: tf.Tensor5D) => conv.forward(input), [x], { maxElements: 6 });
    tf.dispose([x, y, expected]);
    conv.dispose();
  });
});

it('a codebook finds the nearest of many in pieces', async () => {
  await expectNoLeak(async () => {
    const codebook = new Codebook(2 ** 21, 1);
    codebook.weight.assign(Float32Array.from({ length: 2 ** 21 }, (_, code) => code));
    const latents = tf.tensor4d([2.4, 7, 100.6, 0, -5], [1, 1, 5, 1]);
    const codes = codebook.nearest(latents);
    expect(codes.shape).toEqual([1, 1, 5]);
    expect(await codes.data()).toEqual(Int32Array.of(2, 7, 101, 0, 0));
    const vectors = codebook.vectors(codes);
    expect(await vectors.data()).toEqual(Float32Array.of(2, 7, 101, 0, 0));
    tf.dispose([latents, codes, vectors]);
    codebook.dispose();
  });
});
