import { assertTensorsClose } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { embedding } from './embedding';
import { selectRows } from './select-rows';
import { againstFloat64, randomHost } from './testing/float64';

const row = (x: Float64Array, index: number, width: number) => [
  ...x.subarray(index * width, (index + 1) * width),
];

describeBackends('embedding', () => {
  it.each([
    { what: 'ids that repeat', vocabSize: 5, width: 3, shape: [2, 3], ids: [4, 0, 4, 4, 1, 0] },
    { what: 'one id', vocabSize: 1, width: 1, shape: [1], ids: [0] },
    { what: 'a large table', vocabSize: 301, width: 2, shape: [4], ids: [300, 7, 7, 0] },
  ])('looks up $what and adds up their gradients', async ({ vocabSize, width, shape, ids }) => {
    const pairs = await againstFloat64(
      (table) => embedding(table!, Int32Array.from(ids), shape),
      (table) => ({ shape: [...shape, width], data: ids.flatMap((id) => row(table!, id, width)) }),
      [randomHost([vocabSize, width], 1)],
    );
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: name === 'output' ? 0 : 1e-6, name });
    }
  });
});

describeBackends('embedding without UnsortedSegmentSum', (backendName) => {
  it('adds up the gradients', async () => {
    const kernel: tf.KernelConfig | undefined = tf.getKernel(tf.UnsortedSegmentSum, backendName);
    if (kernel) tf.unregisterKernel(tf.UnsortedSegmentSum, backendName);
    try {
      const ids = [6, 0, 6, 2, 6];
      const pairs = await againstFloat64(
        (table) => embedding(table!, Int32Array.from(ids), [5]),
        (table) => ({ shape: [5, 3], data: ids.flatMap((id) => row(table!, id, 3)) }),
        [randomHost([7, 3], 1)],
      );
      for (const { actual, expected, name } of pairs) {
        await assertTensorsClose(actual, expected, { tolerance: 1e-6, name });
      }
    } finally {
      if (kernel) tf.registerKernel(kernel);
    }
  });
});

describeBackends('selectRows', () => {
  it.each([
    { what: 'some rows in another order', numRows: 5, width: 3, index: [4, 0, 2] },
    { what: 'zeros between rows', numRows: 3, width: 2, index: [-1, 2, -1, 0, -1] },
    { what: 'only zeros', numRows: 2, width: 1, index: [-1, -1, -1] },
    { what: 'one row', numRows: 1, width: 4, index: [0] },
  ])('takes $what, and gives the gradient back to them', async ({ numRows, width, index }) => {
    const pairs = await againstFloat64(
      (x) => selectRows(x as tf.Tensor2D, Int32Array.from(index)),
      (x) => ({
        shape: [index.length, width],
        data: index.flatMap((from) => (from < 0 ? new Array<number>(width).fill(0) : row(x!, from, width))),
      }),
      [randomHost([numRows, width], 1)],
    );
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: name === 'output' ? 0 : 1e-6, name });
    }
  });
});
