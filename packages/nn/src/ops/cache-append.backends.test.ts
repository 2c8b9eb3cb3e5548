import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { attention } from './attention';
import { cacheAppend } from './cache-append';
import { type Host, randomHost, read, upload } from './testing/float64';

const upload3 = (host: Host) => upload(host) as tf.Tensor3D;

/** The rows of `next` in the place of those of `cache`. */
function written(cache: Host, next: Host, offset: number): Host {
  const data = cache.data.slice();
  const [batch, rows, width] = cache.shape as [number, number, number];
  const size = next.shape[1]! * width;
  for (let b = 0; b < batch; b++) {
    data.set(next.data.subarray(b * size, (b + 1) * size), (b * rows + offset) * width);
  }
  return { shape: cache.shape, data };
}

describeBackends('cacheAppend', (backend) => {
  it('writes rows in their place, of any sizes', { timeout: 60_000 }, async () => {
    const count = (max: number) => fc.integer({ min: 0, max });
    const sizes = fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      count(4),
      count(5),
      count(4),
      fc.integer({ min: 1, max: 5 }),
    );
    await fc.assert(
      fc.asyncProperty(sizes, async ([batch, offset, length, behind, width]) => {
        const rows = offset + length + behind;
        if (rows * length === 0) return;
        const hosts = [randomHost([batch, rows, width], 1), randomHost([batch, length, width], 2)] as const;
        await expectNoLeak(async () => {
          const [cache, next] = hosts.map(upload3) as [tf.Tensor3D, tf.Tensor3D];
          const out = cacheAppend(cache, next, offset);
          cache.dispose();
          const again = cacheAppend(out, next, offset);
          await assertTensorsClose(again, written(...hosts, offset), { tolerance: 0 });
          tf.dispose([next, out, again]);
        });
      }),
      { numRuns: backend === 'webgpu' ? 15 : 50 },
    );
  });

  it('leaves a clone as it is', async () => {
    const hosts = [randomHost([2, 3, 4], 1), randomHost([2, 1, 4], 2)] as const;
    await expectNoLeak(async () => {
      const [cache, next] = hosts.map(upload3) as [tf.Tensor3D, tf.Tensor3D];
      const clone = tf.clone(cache);
      const out = cacheAppend(cache, next, 1);
      await assertTensorsClose(clone, hosts[0], { tolerance: 0 });
      await assertTensorsClose(out, written(...hosts, 1), { tolerance: 0 });
      tf.dispose([cache, next, clone, out]);
    });
  });

  it('is not fooled by values that were read before', async () => {
    const hosts = [randomHost([1, 3, 2], 1), randomHost([1, 1, 2], 2)] as const;
    const [cache, next] = hosts.map(upload3) as [tf.Tensor3D, tf.Tensor3D];
    const first = cacheAppend(cache, next, 0);
    await read(first);
    const second = cacheAppend(first, next, 2);
    await assertTensorsClose(second, written(written(...hosts, 0), hosts[1], 2), { tolerance: 0 });
    tf.dispose([cache, next, first, second]);
  });

  it('gives attention what a slice of the same keys gives it', async () => {
    const [q, k, v] = [1, 2, 3].map((seed) => upload3(randomHost([2, 9, 4], seed)));
    const heads = { numHeads: 2 };
    const rule = { causal: true, start: Int32Array.of(1, 0) };
    const query = tf.slice(q!, [0, 0, 0], [2, 1, 4]);
    const whole = tf.tidy(() => {
      const part = (x: tf.Tensor3D) => tf.slice(x, [0, 0, 0], [2, 6, 4]);
      return attention(query, part(k!), part(v!), rule, heads);
    });
    const out = attention(query, k!, v!, rule, { ...heads, numKeys: 6 });
    await assertTensorsClose(out, await read(whole), { tolerance: 1e-6 });
    expect(() => attention(query, k!, v!, rule, { ...heads, numKeys: 10 })).toThrow(ShapeError);
    tf.dispose([q!, k!, v!, query, whole, out]);
  });

  it('refuses what does not fit, and a gradient', () => {
    tf.tidy(() => {
      const cache = tf.zeros<tf.Rank.R3>([1, 3, 2]);
      for (const [next, offset] of [
        [tf.zeros<tf.Rank.R3>([1, 2, 2]), 2],
        [tf.zeros<tf.Rank.R3>([1, 2, 2]), -1],
        [tf.zeros<tf.Rank.R3>([2, 1, 2]), 0],
        [tf.zeros<tf.Rank.R3>([1, 1, 3]), 0],
      ] as const) {
        expect(() => cacheAppend(cache, next, offset)).toThrow(ShapeError);
      }
      const gradient = tf.grad((x: tf.Tensor) => cacheAppend(cache, x as tf.Tensor3D, 0));
      expect(() => gradient(tf.zeros([1, 1, 2]))).toThrow(ConfigError);
    });
  });
});
