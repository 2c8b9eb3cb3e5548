import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { assertTensorsClose, compareTensors } from './compare';

const host = (data: number[], shape = [data.length]) => ({ shape, data: Float32Array.from(data) });

describeBackends('compareTensors', () => {
  it('accepts equal tensors and written-down decimals', async () => {
    const actual = tf.tensor2d([0.1, 0.2, 0.3, 0.4], [2, 2]);
    const result = await compareTensors(
      actual,
      { shape: [2, 2], data: [0.1, 0.2, 0.3, 0.4] },
      { tolerance: 0 },
    );
    expect(result).toMatchObject({ ok: true, numWrong: 0 });
    actual.dispose();
  });

  it('reports the worst element, its index and both values', async () => {
    const result = await compareTensors(
      host([1, 2, 3, 4, 5, 7], [2, 3]),
      host([1, 2, 3, 4.5, 5, 10], [2, 3]),
      {
        tolerance: 1e-3,
        name: 'logits',
      },
    );
    expect(result.ok).toBe(false);
    expect(result.numWrong).toBe(2);
    expect(result.worst).toEqual({ index: [1, 2], actual: 7, expected: 10, error: 0.3 });
    expect(result.message).toBe(
      'logits float32[2, 3]: 2 of 6 elements beyond tolerance 0.001; worst at [1, 2]: expected 10, got 7 (error 3.00e-1)',
    );
  });

  it('is absolute below one and relative above', async () => {
    const tolerance = 0.01;
    expect(await compareTensors(host([0.009]), host([0]), { tolerance })).toMatchObject({ ok: true });
    expect(await compareTensors(host([0.011]), host([0]), { tolerance })).toMatchObject({ ok: false });
    expect(await compareTensors(host([1009]), host([1000]), { tolerance })).toMatchObject({ ok: true });
    expect(await compareTensors(host([1011]), host([1000]), { tolerance })).toMatchObject({ ok: false });
  });

  it.each([
    [Number.NaN, 0],
    [0, Number.NaN],
    [Number.NaN, Number.NEGATIVE_INFINITY],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    [Number.POSITIVE_INFINITY, 3e38],
  ])('tells %f from %f at any tolerance', async (actual, expected) => {
    const result = await compareTensors(host([1, actual]), host([1, expected]), { tolerance: 1e30 });
    expect(result).toMatchObject({
      ok: false,
      numWrong: 1,
      worst: { index: [1], error: Number.POSITIVE_INFINITY },
    });
  });

  it('lets a value that is not finite equal itself', async () => {
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    expect(await compareTensors(host(values), host(values), { tolerance: 0 })).toMatchObject({ ok: true });
  });

  it('sees one unit in the last place, and denormals, when asked for the same bits', async () => {
    expect(await compareTensors(host([1 + 2 ** -23]), host([1]), { tolerance: 0 })).toMatchObject({
      ok: false,
    });
    expect(await compareTensors(host([2 ** -149]), host([0]), { tolerance: 0 })).toMatchObject({ ok: false });
    expect(await compareTensors(host([-0]), host([0]), { tolerance: 0 })).toMatchObject({ ok: true });
  });

  it('checks the shape of typed arrays as well', async () => {
    const result = await compareTensors(host([1, 2], [1, 2]), host([1, 2], [2, 1]), { tolerance: 1 });
    expect(result).toMatchObject({ ok: false, message: 'tensor: expected shape [2, 1], got [1, 2]' });
  });

  it('checks the dtype', async () => {
    const ints = { shape: [2], data: Int32Array.of(1, 2) };
    expect(await compareTensors(host([1, 2]), ints, { tolerance: 1 })).toMatchObject({
      ok: false,
      message: 'tensor: expected dtype int32, got float32',
    });
    const named = { shape: [2], data: [1, 2], dtype: 'int32' as const };
    expect(await compareTensors(ints, named, { tolerance: 0 })).toMatchObject({ ok: true });
  });

  it('compares scalars and empty tensors', async () => {
    expect(await compareTensors(host([2], []), host([3], []), { tolerance: 0 })).toMatchObject({
      worst: { index: [] },
    });
    expect(await compareTensors(host([], [0, 3]), host([], [0, 3]), { tolerance: 0 })).toMatchObject({
      ok: true,
    });
    expect(await compareTensors(host([], [0, 3]), host([], [3, 0]), { tolerance: 0 })).toMatchObject({
      ok: false,
    });
  });

  it('refuses a golden value of the wrong length, and a tolerance that is no number', async () => {
    await expect(compareTensors(host([1]), host([1, 2], [3]), { tolerance: 0 })).rejects.toThrow(
      'tensor (expected): shape [3] needs 3 values, got 2',
    );
    await expect(compareTensors(host([1]), host([1]), { tolerance: Number.NaN })).rejects.toThrow(
      'at least 0',
    );
  });
});

describeBackends('assertTensorsClose', () => {
  it('throws the message of the comparison', async () => {
    await expect(assertTensorsClose(host([0]), host([1]), { tolerance: 0.5, name: 'width' })).rejects.toThrow(
      'width float32[1]: 1 of 1 elements beyond tolerance 0.5; worst at [0]: expected 1, got 0',
    );
    await assertTensorsClose(host([1]), host([1]), { tolerance: 0 });
  });
});
