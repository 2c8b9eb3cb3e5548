import { assertTensorsClose } from '@mmllm/conformance';
import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { groupNorm } from './group-norm';
import { layerNorm } from './layer-norm';
import { rmsNorm } from './rms-norm';
import { againstFloat64, type Host, randomHost } from './testing/float64';

const EPS = 1e-5;
const mean = (row: Float64Array) => row.reduce((sum, x) => sum + x, 0) / row.length;

function eachRow(x: Float64Array, width: number, f: (row: Float64Array) => Float64Array): number[] {
  return Array.from({ length: x.length / width }, (_, r) => [
    ...f(x.slice(r * width, (r + 1) * width)),
  ]).flat();
}

function standardized(row: Float64Array): Float64Array {
  const center = mean(row);
  const variance = mean(row.map((x) => (x - center) ** 2));
  return row.map((x) => (x - center) / Math.sqrt(variance + EPS));
}

const overRms = (row: Float64Array) => row.map((x) => x / Math.sqrt(mean(row.map((y) => y * y)) + EPS));

/** Rows far from zero, where a variance as mean(x²) − mean(x)² would lose all digits. */
function shifted(host: Host, by: number): Host {
  return { ...host, data: host.data.map((x) => x + by) };
}

describeBackends('norms', () => {
  it.each([
    { shape: [3, 5], parameters: 2, offset: 0, tolerance: 1e-5 },
    { shape: [2, 3, 4], parameters: 2, offset: 0, tolerance: 1e-5 },
    { shape: [1, 7], parameters: 1, offset: 0, tolerance: 1e-5 },
    { shape: [2, 2, 3], parameters: 0, offset: 0, tolerance: 1e-5 },
    { shape: [3, 8], parameters: 2, offset: 100, tolerance: 1e-4 },
  ])('layerNorm has the formula and gradients: %o', async ({ shape, parameters, offset, tolerance }) => {
    const width = shape.at(-1)!;
    const pairs = await againstFloat64(
      (x, gain, bias) => layerNorm(x!, gain, bias, EPS),
      (x, gain, bias) => ({
        shape,
        data: eachRow(x!, width, (row) =>
          standardized(row).map((y, i) => y * (gain?.[i] ?? 1) + (bias?.[i] ?? 0)),
        ),
      }),
      [
        shifted(randomHost(shape, 1, 2), offset),
        ...[randomHost([width], 2), randomHost([width], 3)].slice(0, parameters),
      ],
    );
    for (const { actual, expected, name } of pairs)
      await assertTensorsClose(actual, expected, { tolerance, name });
  });

  it.each([
    { shape: [3, 5], offset: 0 as const },
    { shape: [1, 3], offset: 1 as const },
    { shape: [2, 1, 3, 4], offset: 1 as const },
  ])('rmsNorm has the formula and gradients: %o', async ({ shape, offset }) => {
    const width = shape.at(-1)!;
    const pairs = await againstFloat64(
      (x, gain) => rmsNorm(x!, gain!, EPS, { offset }),
      (x, gain) => ({
        shape,
        data: eachRow(x!, width, (row) => overRms(row).map((y, i) => y * (offset + gain![i]!))),
      }),
      [randomHost(shape, 1, 2), randomHost([width], 2)],
    );
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: 1e-5, name });
    }
  });

  it('groupNorm has the formula and gradients', async () => {
    const [batch, pixels, groups, size] = [2, 6, 3, 2];
    const pairs = await againstFloat64(
      (x) => groupNorm(x as tf.Tensor4D, groups, EPS),
      (x) => {
        const data = new Float64Array(x!.length);
        for (let b = 0; b < batch; b++) {
          for (let g = 0; g < groups; g++) {
            const places = Array.from(
              { length: pixels * size },
              (_, i) => ((b * pixels + Math.floor(i / size)) * groups + g) * size + (i % size),
            );
            const normed = standardized(Float64Array.from(places, (place) => x![place]!));
            for (const [i, place] of places.entries()) data[place] = normed[i]!;
          }
        }
        return { shape: [batch, 2, 3, groups * size], data };
      },
      [shifted(randomHost([batch, 2, 3, groups * size], 1, 2), 10)],
    );
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: 2e-5, name });
    }
  });

  it('groupNorm refuses groups that do not divide the channels', () => {
    tf.tidy(() => {
      expect(() => groupNorm(tf.zeros([1, 2, 2, 6]), 4, EPS)).toThrow(ShapeError);
    });
  });

  it('gives zeros, not NaN, for rows without variance', async () => {
    const flat: Host = { shape: [2, 4], data: new Float32Array(8).fill(3) };
    const pairs = await againstFloat64(
      (x, gain) => layerNorm(x!, gain!, undefined, EPS),
      (x, gain) => ({
        shape: [2, 4],
        data: eachRow(x!, 4, (row) => standardized(row).map((y, i) => y * gain![i]!)),
      }),
      [flat, randomHost([4], 2)],
    );
    // A derivative of 1 / √eps: the differences themselves are good to 1e-3 there.
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: name === 'output' ? 1e-6 : 2e-2, name });
    }
  });
});
