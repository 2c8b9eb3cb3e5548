import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { type AttentionRule, BackendError, ConfigError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { attention } from './attention';
import { cacheAppend } from './cache-append';
import { cacheRows } from './cache-rows';
import { packedWidth, quantizeRows } from './quantize-rows';
import { type Host, randomHost, read, upload } from './testing/float64';

const upload3 = (host: Host) => upload(host) as tf.Tensor3D;

/** What codes of 8 bits stand for, and how far apart neighbouring ones are, by plain arithmetic. */
function rounded({ shape, data }: Host): { values: Host; steps: Float32Array } {
  const width = shape[2]!;
  const values = data.slice();
  const steps = new Float32Array(data.length);
  for (let row = 0; row < data.length; row += width) {
    for (let first = row; first < row + width; first += 32) {
      const end = Math.min(first + 32, row + width);
      const scale = data.subarray(first, end).reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127;
      for (let i = first; i < end; i++) values[i] = scale === 0 ? 0 : Math.round(data[i]! / scale) * scale;
      steps.fill(scale, first, end);
    }
  }
  return { values: { shape, data: values }, steps };
}

/** The values of quantised rows: attention from which each key is seen alone. */
function widened(rows: tf.Tensor3D, width: number): tf.Tensor3D {
  return tf.tidy(() => {
    const [batch, length] = rows.shape;
    const bias = Float32Array.from({ length: length ** 2 }, (_, i) =>
      i % length === Math.floor(i / length) ? 0 : -1e9,
    );
    const rule: AttentionRule = { causal: false, bias, biasShape: [1, 1, length, length] };
    return attention(tf.zeros([batch, length, width]), rows, rows, rule, { numHeads: 1 });
  });
}

const SIZES = [
  { batch: 2, queries: 1, keys: 7, heads: 2, group: 1, headSize: 32 },
  { batch: 1, queries: 1, keys: 70, heads: 6, group: 3, headSize: 64 },
  { batch: 2, queries: 3, keys: 37, heads: 4, group: 2, headSize: 20 },
  { batch: 1, queries: 2, keys: 5, heads: 3, group: 1, headSize: 5 },
  { batch: 2, queries: 9, keys: 33, heads: 4, group: 2, headSize: 24 },
  { batch: 1, queries: 17, keys: 17, heads: 2, group: 1, headSize: 80 },
] as const;

const RULES = (batch: number): AttentionRule[] => [
  { causal: true, start: Int32Array.from({ length: batch }, (_, b) => 2 * b) },
  { causal: true, window: 4 },
  { causal: false },
];

/** With more rows that do not count. */
const withRoom = (x: tf.Tensor3D, more: number): tf.Tensor3D => {
  const [batch, count] = x.shape;
  const samples = Array.from({ length: batch }, (_, sample) => sample);
  return cacheRows(x, { samples, from: 0, count, rows: count + more });
};

const packs = (backend: string) => backend === 'wasm' || backend === 'webgpu';

describeBackends('rows of a cache in 8 bits', (backend) => {
  it.each([1, 3, 31, 32, 33, 96, 100])('are within half a step of their values: width %d', async (width) => {
    const host = randomHost([2, 3, width], width, 4);
    host.data.fill(0, 0, Math.min(width, 32));
    const { steps } = rounded(host);
    await expectNoLeak(async () => {
      const x = upload3(host);
      const rows = quantizeRows(x);
      const words = packedWidth(width);
      expect([rows.dtype, ...rows.shape]).toEqual(
        packs(backend) ? ['int32', 2, 3, words] : ['float32', 2, 3, width],
      );
      const back = widened(rows, width);
      const { data } = await read(back);
      for (const [i, value] of data.entries()) {
        expect(Math.abs(value - host.data[i]!)).toBeLessThanOrEqual(0.5 * steps[i]! * 1.001);
      }
      tf.dispose([x, rows, back]);
    });
  });

  it.each(SIZES)('are attended to as what they stand for: %o', { timeout: 120_000 }, async (sizes) => {
    const { batch, queries, keys, heads, group, headSize } = sizes;
    const width = (heads / group) * headSize;
    const hosts = [2, 3].map((seed) => randomHost([batch, keys, width], seed, 2));
    // Far from the middle between two codes, where backends may differ.
    const [k, v] = hosts.map((host) => rounded(host).values);
    await expectNoLeak(async () => {
      const q = upload3(randomHost([batch, queries, heads * headSize], 1, 2));
      const plain = [upload3(k!), upload3(v!)] as const;
      const rows = plain.map((x) => quantizeRows(x)) as [tf.Tensor3D, tf.Tensor3D];
      const room = rows.map((x) => withRoom(x, 3)) as [tf.Tensor3D, tf.Tensor3D];
      for (const rule of RULES(batch)) {
        const options = { numHeads: heads, numKeyValueHeads: heads / group, numKeys: keys };
        const out = attention(q, ...room, rule, options);
        const expected = attention(q, ...plain, rule, options);
        await assertTensorsClose(out, expected, { tolerance: 1e-4 });
        tf.dispose([out, expected]);
      }
      tf.dispose([q, ...plain, ...rows, ...room]);
    });
  });

  it('are written into a cache, at any place', async () => {
    const host = randomHost([2, 3, 40], 5);
    await expectNoLeak(async () => {
      const x = upload3(host);
      const whole = quantizeRows(x);
      const cache = tf.zeros<tf.Rank.R3>([2, 3, whole.shape[2]], whole.dtype);
      const last = tf.tidy(() => quantizeRows(tf.slice(x, [0, 1, 0], [2, 2, 40])));
      const first = tf.tidy(() => quantizeRows(tf.slice(x, [0, 0, 0], [2, 1, 40])));
      const half = cacheAppend(cache, last, 1);
      const full = cacheAppend(half, first, 0);
      const [actual, expected] = [widened(full, 40), widened(whole, 40)];
      await assertTensorsClose(actual, expected, { tolerance: 0 });
      tf.dispose([x, whole, cache, last, first, half, full, actual, expected]);
    });
  });

  it('hold back what is not finite from no one who sees it', async () => {
    const host = randomHost([1, 2, 40], 5);
    host.data[3] = Number.NaN;
    host.data[35] = Number.POSITIVE_INFINITY;
    const back = tf.tidy(() => {
      const rows = quantizeRows(upload3(host));
      return tf.slice(widened(rows, 40), [0, 0, 0], [1, 1, 40]);
    });
    const { data } = await read(back);
    expect([data[3], data[35]].every((value) => !Number.isFinite(value))).toBe(true);
    back.dispose();
  });

  it('are refused in other sizes, mixed with floats, and under a gradient', () => {
    tf.tidy(() => {
      const q = tf.ones<tf.Rank.R3>([1, 1, 64]);
      const [wide, narrow] = [64, 32].map((width) => quantizeRows(tf.ones([1, 3, width])));
      const rule = { causal: true };
      expect(() => attention(q, narrow!, narrow!, rule, { numHeads: 2 })).toThrow(ShapeError);
      if (packs(backend)) {
        const floats = tf.ones<tf.Rank.R3>(wide!.shape);
        expect(() => attention(q, wide!, floats, rule, { numHeads: 2 })).toThrow(ShapeError);
        expect(() => cacheAppend(floats, wide!, 0)).toThrow(ShapeError);
        const gradient = tf.grad((x) => attention(x as tf.Tensor3D, wide!, wide!, rule, { numHeads: 2 }));
        expect(() => gradient(q)).toThrow(ConfigError);
      } else {
        const packed = tf.zeros<tf.Rank.R3>([1, 3, packedWidth(64)], 'int32');
        expect(() => attention(q, packed, packed, rule, { numHeads: 2 })).toThrow(BackendError);
        expect(() => cacheAppend(packed, tf.clone(packed), 0)).toThrow(BackendError);
        expect(() => cacheRows(packed, { samples: [0], from: 0, count: 1 })).toThrow(BackendError);
      }
      const gradient = tf.grad((x) => quantizeRows(x as tf.Tensor3D));
      expect(() => gradient(tf.ones([1, 1, 4]))).toThrow(ConfigError);
    });
  });
});
