import { assertTensorsClose } from '@mmllm/conformance';
import { ConfigError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { combineRows, dispatchRows, type RoutingOptions, routeTopK } from './routing';
import { againstFloat64, type Host, randomHost, upload } from './testing/float64';
import { route64 } from './testing/moe64';

const forms: Omit<RoutingOptions, 'k'>[] = [{}, { softmax: 'all' }, { softmax: 'all', normalize: true }];

/** Each row times the number of its expert plus one, back in its place: shows who went where, with what weight. */
function numbered(x: tf.Tensor2D, logits: tf.Tensor2D, options: RoutingOptions): tf.Tensor2D {
  const routing = routeTopK(logits, options);
  const factors = [...routing.groupSizes].flatMap((size, e) => Array<number>(size).fill(e + 1));
  const rows = tf.mul(dispatchRows(x, routing), tf.tensor2d(factors, [factors.length, 1]));
  return combineRows(rows as tf.Tensor2D, routing);
}

const rowOf = (data: ArrayLike<number>, row: number, width: number): number[] =>
  Array.from({ length: width }, (_, i) => data[row * width + i]!);

describeBackends('routeTopK, dispatchRows and combineRows', (backend) => {
  it.each(forms.flatMap((form) => [1, 2, 5].map((k) => ({ ...form, k }))))(
    'weigh the rows of the chosen, with gradients: %o',
    async (options) => {
      const [rows, experts, width] = [6, 5, 3];
      // Far enough apart that the differences change no choice.
      const logits = randomHost([rows, experts], 2);
      logits.data.forEach((value, i) => {
        logits.data[i] = 0.1 * value + 0.5 * (((i % experts) * 3 + Math.floor(i / experts)) % experts);
      });
      const pairs = await againstFloat64(
        (x, scores) => tf.tidy(() => numbered(x as tf.Tensor2D, scores as tf.Tensor2D, options)),
        (x, scores) => {
          const data = Array.from({ length: rows }, (_, row) => {
            const { experts: chosen, weights } = route64(rowOf(scores!, row, experts), options.k, options);
            const factor = chosen.reduce((sum, e, i) => sum + weights[i]! * (e + 1), 0);
            return rowOf(x!, row, width).map((value) => factor * value);
          }).flat();
          return { shape: [rows, width], data };
        },
        [randomHost([rows, width], 1), logits],
      );
      for (const { actual, expected, name } of pairs) {
        await assertTensorsClose(actual, expected, { tolerance: 2e-5, name });
      }
    },
  );

  it('take no rows, and rows that all go to one expert', async () => {
    for (const rows of backend === 'cpu' || backend === 'wasm' ? [0, 4] : [4]) {
      const logits = { shape: [rows, 3], data: Float32Array.from({ length: 3 * rows }, (_, i) => i % 3) };
      const x = randomHost([rows, 2], 1);
      const out = tf.tidy(() => numbered(upload(x) as tf.Tensor2D, upload(logits) as tf.Tensor2D, { k: 1 }));
      await assertTensorsClose(out, { ...x, data: x.data.map((v) => 3 * v) }, { tolerance: 1e-6 });
      out.dispose();
    }
  });

  it('refuse what does not fit', () => {
    tf.tidy(() => {
      for (const k of [0, 4, 1.5]) {
        expect(() => routeTopK(tf.ones<tf.Rank.R2>([2, 3]), { k })).toThrow(ConfigError);
      }
      expect(() => routeTopK(tf.ones([3]) as tf.Tensor as tf.Tensor2D, { k: 1 })).toThrow(ShapeError);
    });
  });

  // On webgpu every row goes to every expert.
  if (backend === 'webgpu') return;

  const route = (host: Host, k: number) => {
    const logits = upload(host) as tf.Tensor2D;
    const { weights, ...routing } = routeTopK(logits, { k });
    tf.dispose([logits, weights]);
    return routing;
  };

  it('sort the choices by expert and then by row, whatever the logits', () => {
    const logit = fc.oneof(
      fc.constantFrom(0, 1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
      fc.float({ noNaN: true, min: -8, max: 8 }),
    );
    const table = fc
      .record({ rows: fc.integer({ min: 1, max: 12 }), experts: fc.integer({ min: 1, max: 7 }) })
      .chain(({ rows, experts }) =>
        fc.record({
          rows: fc.constant(rows),
          experts: fc.constant(experts),
          data: fc
            .array(logit, { minLength: rows * experts, maxLength: rows * experts })
            .map((values) => Float32Array.from(values)),
          k: fc.integer({ min: 1, max: experts }),
        }),
      );
    fc.assert(
      fc.property(table, ({ rows, experts, data, k }) => {
        const { order, groupSizes } = route({ shape: [rows, experts], data }, k);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: rows * k }, (_, i) => i));
        expect(groupSizes.reduce((sum, size) => sum + size)).toBe(rows * k);
        const expertOf = [...groupSizes].flatMap((size, e) => Array<number>(size).fill(e));
        for (const [i, choice] of order.entries()) {
          if (i > 0 && expertOf[i] === expertOf[i - 1]) expect(choice).toBeGreaterThan(order[i - 1]!);
        }
        const rank = (x: number) => (Number.isNaN(x) ? Number.MAX_VALUE : Math.fround(x));
        for (let row = 0; row < rows; row++) {
          const logits = rowOf(data, row, experts).map((x) => (x === Infinity ? 1e300 : rank(x)));
          const chosen = expertOf.filter((_, i) => Math.floor(order[i]! / k) === row);
          const rest = [...logits.keys()].filter((e) => !chosen.includes(e));
          const least = Math.min(...chosen.map((e) => logits[e]!));
          expect(new Set(chosen).size).toBe(k);
          for (const e of rest) expect(logits[e]!).toBeLessThanOrEqual(least);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('prefer the first of equal logits', () => {
    const { order, groupSizes } = route({ shape: [2, 4], data: new Float32Array(8).fill(0.5) }, 2);
    expect([...groupSizes]).toEqual([2, 2, 0, 0]);
    expect([...order]).toEqual([0, 2, 1, 3]);
  });

  it('show a NaN', async () => {
    const data = Float32Array.of(0, Number.NaN, 3, 1, 2, 3);
    const weights = tf.tidy(() => routeTopK(tf.tensor2d(data, [2, 3]), { k: 2 }).weights);
    const values = [...(await weights.data())];
    expect(values.slice(0, 2).some(Number.isNaN)).toBe(true);
    expect(values.slice(2).some(Number.isNaN)).toBe(false);
    weights.dispose();
  });
});
