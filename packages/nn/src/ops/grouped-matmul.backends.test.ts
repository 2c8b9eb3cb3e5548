import { assertTensorsClose } from '@mmllm/conformance';
import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { groupedMatmul } from './grouped-matmul';
import { againstFloat64, product, randomHost } from './testing/float64';

const cases: { sizes: number[]; k: number; m: number }[] = [
  { sizes: [3, 2, 4], k: 5, m: 3 },
  { sizes: [0, 4, 0, 1], k: 3, m: 6 },
  { sizes: [0, 0, 7], k: 4, m: 4 },
  { sizes: [2], k: 1, m: 1 },
];

describeBackends('groupedMatmul', () => {
  it.each(cases)('multiplies each group by its matrix, with gradients: %o', async ({ sizes, k, m }) => {
    const rows = sizes.reduce((sum, size) => sum + size);
    const pairs = await againstFloat64(
      (x, weights) => groupedMatmul(x as tf.Tensor2D, weights as tf.Tensor3D, Int32Array.from(sizes)),
      (x, weights) => {
        let start = 0;
        const data = sizes.flatMap((size, e) => {
          const group = x!.subarray(start * k, (start + size) * k);
          start += size;
          return [...product(group, weights!.subarray(e * k * m, (e + 1) * k * m), [size, k, m])];
        });
        return { shape: [rows, m], data };
      },
      [randomHost([rows, k], 1), randomHost([sizes.length, k, m], 2)],
    );
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: 1e-5, name });
    }
  });

  it.each([
    { what: 'sizes that make another number', sizes: [1, 2], inner: 4 },
    { what: 'another number of groups', sizes: [4], inner: 4 },
    { what: 'a negative size', sizes: [5, -1], inner: 4 },
    { what: 'another width', sizes: [2, 2], inner: 3 },
  ])('refuses $what', ({ sizes, inner }) => {
    tf.tidy(() => {
      const [x, weights] = [tf.ones<tf.Rank.R2>([4, 4]), tf.ones<tf.Rank.R3>([2, inner, 3])];
      const call = () => groupedMatmul(x, weights, Int32Array.from(sizes));
      expect(call).toThrow(ShapeError);
      expect(call).toThrow(`weights [2, ${inner}, 3], sizes [${sizes.join(', ')}]`);
    });
  });
});
