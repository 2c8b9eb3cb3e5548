import { startBackend } from '@mmllm/backends';
import { linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { whileCounting } from '.';
import { opKernels } from './op-kernels';

/** What is done before a step or by no language model, and joins of kernels that are here. */
const OTHERS = [
  'mmllm/HoldRows',
  'mmllm/HoldWeight',
  'mmllm/Linears',
  'mmllm/SigmoidPairLoss',
  'mmllm/SigmoidPairLossGrad',
  'mmllm/SoftCrossEntropy',
  'mmllm/SoftCrossEntropyGrad',
  'mmllm/WriteWeight',
];

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
});

describe('the counting backend', () => {
  it('has every kernel that wasm has', () => {
    const names = tf.getKernelsForBackend('wasm').map(({ kernelName }) => kernelName);
    const ours = names.filter((name) => name.startsWith('mmllm/'));
    expect([...Object.keys(opKernels), ...OTHERS].sort()).toEqual(ours.sort());
  });

  it('counts data once, products as they are, and nothing that is freed', async () => {
    await whileCounting(async (backend) => {
      const { meter } = backend;
      meter.reset();
      tf.tidy(() => {
        const x = tf.fill([3, 4], 0);
        tf.reshape(x, [2, 6]);
        tf.add(x, x).dispose();
        expect(backend.bytes).toBe(4 * 12);
        expect(linear(x, tf.fill<tf.Rank.R2>([4, 5], 0)).shape).toEqual([3, 5]);
        expect(backend.bytes).toBe(4 * (12 + 20 + 15));
      });
      expect(backend.bytes).toBe(0);
      expect(meter.peak.bytes).toBe(4 * (12 + 20 + 15));
      expect(meter.flops('prepare')).toBe(2 * 3 * 4 * 5);
    });
  });

  it('leaves the backend of before, also after an error, and takes turns', async () => {
    const order: number[] = [];
    const first = whileCounting(async () => {
      await Promise.resolve();
      order.push(1);
      throw new Error('broken');
    });
    const second = whileCounting(async () => order.push(2));
    await expect(first).rejects.toThrow('broken');
    await second;
    expect(order).toEqual([1, 2]);
    expect(tf.getBackend()).toBe('wasm');
    expect(await tf.tidy(() => tf.add(1, 2)).data()).toEqual(Float32Array.of(3));
  });

  it.each([
    ['Transpose', () => tf.transpose(tf.fill([2, 3, 4], 0), [2, 0, 1])],
    ['Transpose of what stays', () => tf.transpose(tf.fill([2, 1, 4], 0), [1, 0, 2])],
    ['Cast to the same', () => tf.cast(tf.fill([2], 0), 'float32')],
    ['Pack of one', () => tf.stack([tf.fill([2, 3], 0)], 1)],
    ['Concat with nothing', () => tf.concat([tf.fill([2, 3], 0), tf.zeros([0, 3])])],
    ['ExpandDims', () => tf.expandDims(tf.fill([2, 3], 0), -1)],
    ['Reshape', () => tf.reshape(tf.fill([2, 3], 0), [-1])],
    ['Identity', () => tf.clone(tf.fill([2, 3], 0))],
    ['PadV2 by nothing', () => tf.pad(tf.fill([2], 0), [[0, 0]])],
    ['Tile once', () => tf.tile(tf.fill([2], 0), [1])],
    ['Slice of all', () => tf.slice(tf.fill([2], 0), [0], [2])],
    ['Select', () => tf.where(tf.greater(tf.fill([2], 0), 1), tf.fill([2], 0), tf.fill([2], 1))],
    ['GatherNd', () => tf.gatherND(tf.fill([3, 4], 0), tf.tensor2d([[1], [2]], [2, 1], 'int32'))],
    ['Cumsum', () => tf.cumsum(tf.fill([2, 3], 0), 1)],
    ['Softmax', () => tf.softmax(tf.fill([2, 3], 0))],
    ['IsFinite', () => tf.isFinite(tf.fill([2, 3], 0))],
    ['Min', () => tf.min(tf.fill([2, 3], 0), 0)],
    ['Slice', () => tf.slice(tf.fill([4, 5], 0), [1, 2], [2, -1])],
    ['StridedSlice', () => tf.stridedSlice(tf.fill([6, 5], 0), [0, 0], [6, 5], [2, 1])],
    ['Concat', () => tf.concat([tf.fill([2, 3], 0), tf.fill([2, 4], 0)], 1)],
    ['Pack', () => tf.stack([tf.fill([2, 3], 0), tf.fill([2, 3], 0)], 1)],
    ['Unpack', () => tf.unstack(tf.fill([1, 3], 0), 0)[0]],
    ['SplitV', () => tf.split(tf.fill([2, 6], 0), [2, 4], 1)[1]],
    ['GatherV2', () => tf.gather(tf.fill([5, 3], 0), tf.tensor2d([[1, 2]], [1, 2], 'int32'))],
    ['Tile', () => tf.tile(tf.fill([2, 3], 0), [2, 2])],
    [
      'PadV2',
      () =>
        tf.pad(tf.fill([2, 3], 0), [
          [1, 0],
          [0, 2],
        ]),
    ],
    ['OneHot', () => tf.oneHot(tf.tensor1d([1, 0], 'int32'), 4)],
    ['Sum', () => tf.sum(tf.fill([2, 3, 4], 0), [0, 2])],
    ['Max', () => tf.max(tf.fill([2, 3, 4], 0), -1, true)],
    ['Mean', () => tf.mean(tf.fill([2, 3], 0, 'int32'))],
    ['ArgMax', () => tf.argMax(tf.fill([2, 3], 0), 1)],
    ['TopK', () => tf.topk(tf.fill([2, 5], 0), 3).indices],
    ['Greater', () => tf.greater(tf.fill([2, 1], 0), tf.fill([3], 0))],
    ['Cast', () => tf.cast(tf.fill([2], 0), 'int32')],
    [
      'Conv2D',
      () => tf.conv2d(tf.fill<tf.Rank.R4>([1, 8, 8, 3], 0), tf.fill<tf.Rank.R4>([4, 4, 3, 5], 0), 4, 'valid'),
    ],
    [
      'DepthwiseConv2dNative',
      () =>
        tf.depthwiseConv2d(
          tf.fill<tf.Rank.R4>([1, 6, 6, 2], 0),
          tf.fill<tf.Rank.R4>([3, 3, 2, 1], 0),
          1,
          'same',
        ),
    ],
    ['BatchMatMul', () => tf.matMul(tf.fill([2, 3, 4], 0), tf.fill([2, 5, 4], 0), false, true)],
    [
      'UnsortedSegmentSum',
      () => tf.unsortedSegmentSum(tf.fill([3, 2], 0), tf.tensor1d([0, 1, 0], 'int32'), 4),
    ],
  ])('gives the shape and the type of %s as wasm does', async (_, make) => {
    const described = () =>
      tf.tidy(() => {
        const { shape, dtype } = make();
        return { shape, dtype, buffers: tf.memory().numDataBuffers };
      });
    const [before, expected] = [tf.memory().numDataBuffers, described()];
    const actual = await whileCounting(async () => described());
    expect(actual).toEqual(expected);
    expect(tf.memory().numDataBuffers).toBe(before);
  });
});
