import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { type CacheRows, cacheRows } from './cache-rows';
import { type Host, randomHost, upload } from './testing/float64';

/** The rows that count, by plain indices. */
function taken({ shape, data }: Host, { samples, from, count }: CacheRows): Host {
  const [, length, width] = shape as [number, number, number];
  const rows = samples.map((sample) => {
    const first = (sample * length + from) * width;
    return [...data.subarray(first, first + count * width)];
  });
  return { shape: [samples.length, count, width], data: Float32Array.from(rows.flat()) };
}

const anyCase = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    length: fc.integer({ min: 1, max: 6 }),
    width: fc.integer({ min: 1, max: 5 }),
  })
  .chain((sizes) =>
    fc.record({
      sizes: fc.constant(sizes),
      samples: fc.array(fc.nat(sizes.batch - 1), { minLength: 1, maxLength: 4 }),
      from: fc.nat(sizes.length - 1),
      count: fc.integer({ min: 1, max: sizes.length }),
      room: fc.nat(3),
    }),
  );

describeBackends('cacheRows', (backend) => {
  it('takes the rows of the samples that are asked for, with room behind them', {
    timeout: 60_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async ({ sizes: { batch, length, width }, samples, from, ...rest }) => {
        const count = Math.min(rest.count, length - from);
        const host = randomHost([batch, length, width], 3);
        await expectNoLeak(async () => {
          const cache = upload(host) as tf.Tensor3D;
          const rows = count + rest.room;
          const out = cacheRows(cache, { samples, from, count, rows });
          expect(out.shape).toEqual([samples.length, rows, width]);
          const counting = tf.slice(out, [0, 0, 0], [samples.length, count, width]);
          await assertTensorsClose(counting, taken(host, { samples, from, count }), { tolerance: 0 });
          tf.dispose([cache, out, counting]);
        });
      }),
      { numRuns: backend === 'webgpu' ? 15 : 50 },
    );
  });

  it.runIf(backend === 'wasm' || backend === 'webgpu')('keeps every bit of packed rows', async () => {
    const words = Int32Array.of(0x7f81ff01, -2, 0x7fc00001, 16_777_217, -8_388_609, 1);
    const cache = tf.tensor3d(words, [2, 3, 1], 'int32');
    const out = cacheRows(cache, { samples: [1, 0], from: 0, count: 3 });
    expect([...(await out.data())]).toEqual([...words.subarray(3), ...words.subarray(0, 3)]);
    tf.dispose([cache, out]);
  });

  it('refuses what the cache has not, and a gradient', () => {
    tf.tidy(() => {
      const cache = tf.zeros<tf.Rank.R3>([2, 3, 4]);
      const fine = { samples: [0], from: 1, count: 2 };
      for (const wrong of [
        { samples: [2] },
        { samples: [-1] },
        { from: 2 },
        { count: 3 },
        { from: -1 },
        { rows: 1 },
      ]) {
        expect(() => cacheRows(cache, { ...fine, ...wrong })).toThrow(ShapeError);
      }
      const gradient = tf.grad((x: tf.Tensor) => cacheRows(x as tf.Tensor3D, fine));
      expect(() => gradient(cache)).toThrow(ConfigError);
    });
  });
});
