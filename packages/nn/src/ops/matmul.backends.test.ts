import { assertTensorsClose } from '@mmllm/conformance';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { matmul } from './matmul';
import { againstFloat64, product, randomHost, transposed, upload } from './testing/float64';

const flags = [
  { transposeA: false, transposeB: false },
  { transposeA: true, transposeB: false },
  { transposeA: false, transposeB: true },
  { transposeA: true, transposeB: true },
];

const sizes = [
  { m: 3, k: 5, n: 7, batchA: undefined, batchB: undefined },
  { m: 1, k: 4, n: 1, batchA: undefined, batchB: undefined },
  { m: 5, k: 1, n: 3, batchA: 3, batchB: 3 },
  { m: 1, k: 5, n: 3, batchA: 1, batchB: 1 },
  { m: 2, k: 5, n: 3, batchA: 1, batchB: 4 },
  { m: 2, k: 5, n: 3, batchA: 4, batchB: 1 },
];

describeBackends('matmul', () => {
  it.each(sizes.flatMap((size) => flags.map((flag) => ({ ...size, ...flag }))))(
    'multiplies and has gradients: %o',
    async ({ m, k, n, batchA, batchB, transposeA, transposeB }) => {
      const side = (batch: number | undefined, rows: number, columns: number, swap: boolean) => [
        ...(batch ? [batch] : []),
        ...(swap ? [columns, rows] : [rows, columns]),
      ];
      const batch = Math.max(batchA ?? 1, batchB ?? 1);
      const pairs = await againstFloat64(
        (a, b) => matmul(a!, b!, { transposeA, transposeB }),
        (a, b) => {
          const data = Array.from({ length: batch }, (_, i) => {
            const matrixA = a!.subarray(batchA === 1 ? 0 : i * m * k).subarray(0, m * k);
            const matrixB = b!.subarray(batchB === 1 ? 0 : i * k * n).subarray(0, k * n);
            return [
              ...product(
                transposeA ? transposed(matrixA, k, m) : matrixA,
                transposeB ? transposed(matrixB, n, k) : matrixB,
                [m, k, n],
              ),
            ];
          }).flat();
          return { shape: side(batchA && batch, m, n, false), data };
        },
        [randomHost(side(batchA, m, k, transposeA), 1), randomHost(side(batchB, k, n, transposeB), 2)],
      );
      for (const { actual, expected, name } of pairs) {
        await assertTensorsClose(actual, expected, { tolerance: 1e-5, name });
      }
    },
  );

  it('refuses what does not fit', () => {
    const [a, b] = [upload(randomHost([2, 3], 1)), upload(randomHost([2, 4], 2))];
    expect(() => matmul(a, b)).toThrow(
      'matmul: expected two matrices, or batches of them, with equal inner sizes (transposeA false, transposeB false), got [2, 3] and [2, 4]',
    );
    a.dispose();
    b.dispose();
  });
});
