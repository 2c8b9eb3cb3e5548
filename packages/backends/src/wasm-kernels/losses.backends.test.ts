import { assertTensorsClose } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { crossEntropy, logSumExp, sigmoidPairLoss, softCrossEntropy } from '../../../nn/src/ops';
import { softmax64 } from '../../../nn/src/ops/testing/float64';
import {
  expectSameAsCpu,
  type Host,
  outputsOn,
  randomHost,
  startBoth,
  withGradients,
  withValue,
} from './testing/against-cpu';

beforeAll(startBoth);

const rows = fc.integer({ min: 1, max: 6 });
const width = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 2040, max: 4200 }));
const scale = fc.constantFrom(0.1, 5, 100);
const notFinite = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

const rowsOf = ({ shape, data }: Host): number[][] =>
  Array.from({ length: shape[0]! }, (_, r) => [...data.subarray(r * shape[1]!, (r + 1) * shape[1]!)]);

/** Compares whole outputs of an op on wasm with values in double precision. */
async function expectOnWasm(
  op: Parameters<typeof outputsOn>[1],
  input: Host,
  expected: readonly { shape: number[]; data: readonly number[] }[],
  tolerance: number,
) {
  const outputs = await outputsOn('wasm', op, [input]);
  for (const [i, { shape, data }] of expected.entries()) {
    const host = { shape, data: Float32Array.from(data) };
    await assertTensorsClose(outputs[i]!, host, { tolerance, name: `output ${i}` });
  }
}

describe('mmllm/LogSumExp and mmllm/LogSumExpGrad on wasm', () => {
  const op = (...[x]: tf.Tensor[]) => logSumExp(x!);

  it('are right in double precision for any rows', async () => {
    await fc.assert(
      fc.asyncProperty(rows, width, scale, async (count, size, factor) => {
        const x = randomHost([count, size], 1, factor);
        const dy = randomHost([count], 99).data;
        const exact = rowsOf(x).map(softmax64);
        const gradient = exact.flatMap(({ weights }, r) => weights.map((weight) => weight * dy[r]!));
        const out = { shape: [count], data: exact.map((row) => row.logSumExp) };
        await expectOnWasm(withGradients(op), x, [out, { shape: x.shape, data: gradient }], 1e-5);
      }),
      { numRuns: 40 },
    );
  });

  it.each(notFinite)('take %d as the reference does', async (value) => {
    for (const at of [0, 5, 2050, 2999, 3001]) {
      await expectSameAsCpu(withGradients(op), [withValue(randomHost([2, 3000], 1), at, value)], 1e-5);
    }
  });

  it('keep infinity and NaN apart, and know rows of nothing but one of them', async () => {
    const { POSITIVE_INFINITY: high, NEGATIVE_INFINITY: low, NaN: none } = Number;
    for (const row of [
      [high, none, 0],
      [none, high, 0],
      [high, low, 1],
      [low, low, low],
      [high, high, high],
      [none, none, none],
      [low, none, low],
    ]) {
      const x = { shape: [2, 3], data: Float32Array.from([...row, 1, 2, 3]) };
      await expectSameAsCpu(withGradients(op), [x], 1e-5);
    }
  });

  it('take no rows', async () => {
    const [out, dx] = await outputsOn('wasm', withGradients(op), [randomHost([0, 3], 1)]);
    expect(out).toEqual({ shape: [0], data: new Float32Array() });
    expect(dx).toEqual({ shape: [0, 3], data: new Float32Array() });
  });

  it('take rows of nothing', async () => {
    const [out] = await outputsOn('wasm', op, [randomHost([3, 0], 1)]);
    expect([...out!.data]).toEqual([-Infinity, -Infinity, -Infinity]);
  });
});

describe('mmllm/CrossEntropy and mmllm/CrossEntropyGrad on wasm', () => {
  const loss =
    (targets: Int32Array) =>
    (...[logits]: tf.Tensor[]) =>
      crossEntropy(logits as tf.Tensor2D, targets);

  function exactly(logits: Host, targets: Int32Array) {
    const counted = targets.filter((target) => target >= 0).length;
    const exact = rowsOf(logits).map(softmax64);
    const value = rowsOf(logits).reduce((sum, row, r) => {
      const target = targets[r]!;
      return target < 0 ? sum : sum + (exact[r]!.logSumExp - row[target]!) / counted;
    }, 0);
    const gradient = exact.flatMap(({ weights }, r) =>
      weights.map((weight, i) => (targets[r]! < 0 ? 0 : (weight - Number(i === targets[r])) / counted)),
    );
    return { value: { shape: [], data: [value] }, gradient: { shape: logits.shape, data: gradient } };
  }

  const valueAndGradient = (targets: Int32Array) => (logits: tf.Tensor) => {
    const { value, grad } = tf.valueAndGrad(loss(targets))(logits);
    return [value, grad];
  };

  it('are right in double precision for any rows and targets', async () => {
    await fc.assert(
      fc.asyncProperty(
        rows,
        width,
        scale,
        fc.infiniteStream(fc.nat()),
        async (count, size, factor, picks) => {
          const logits = randomHost([count, size], 1, factor);
          const targets = Int32Array.from({ length: count }, () => {
            const pick = picks.next().value!;
            return pick % 4 === 0 ? -100 : pick % size;
          });
          const { value, gradient } = exactly(logits, targets);
          await expectOnWasm((x) => valueAndGradient(targets)(x!), logits, [value, gradient], 1e-5);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('take the vocabulary of a large model', async () => {
    const logits = randomHost([2, 151_936], 1, 8);
    const targets = Int32Array.of(151_935, 7);
    const { value, gradient } = exactly(logits, targets);
    await expectOnWasm((x) => valueAndGradient(targets)(x!), logits, [value, gradient], 1e-6);
  });

  it.each(notFinite)('take %d in a row that counts as the reference does', async (value) => {
    for (const target of [0, 2]) {
      const logits = withValue(randomHost([2, 5], 1), 2, value);
      await expectSameAsCpu(withGradients(loss(Int32Array.of(target, 1))), [logits], 1e-5);
    }
  });

  it('do not read a row that does not count', async () => {
    const logits = withValue(randomHost([2, 5], 1), 2, Number.NaN);
    const outputs = await outputsOn('wasm', withGradients(loss(Int32Array.of(-100, 1))), [logits]);
    for (const { data } of outputs) expect(data.every(Number.isFinite)).toBe(true);
    await expectSameAsCpu(withGradients(loss(Int32Array.of(-100, 1))), [logits], 1e-6);
  });

  it('take no rows, or none that counts', async () => {
    for (const count of [0, 3]) {
      const op = withGradients(loss(new Int32Array(count).fill(-100)));
      const [value, gradient] = await outputsOn('wasm', op, [randomHost([count, 4], 1)]);
      expect(value).toEqual({ shape: [], data: new Float32Array(1) });
      expect(gradient!.data).toEqual(new Float32Array(4 * count));
    }
  });
});

describe('the losses of contrastive batches on wasm', () => {
  const soft = (...inputs: tf.Tensor[]) => softCrossEntropy(...(inputs as [tf.Tensor2D, tf.Tensor2D]));
  const pairs = (...inputs: tf.Tensor[]) => sigmoidPairLoss(...(inputs as [tf.Tensor2D, tf.Tensor2D]));
  const small = fc.integer({ min: 1, max: 20 });

  it('are the references for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(small, small, scale, async (n, m, factor) => {
        const logits = randomHost([n, m], 1, factor);
        const other = randomHost([n, m], 2);
        const probabilities = { shape: [n, m], data: other.data.map(Math.abs) };
        const labels = { shape: [n, m], data: other.data.map(Math.sign) };
        await expectSameAsCpu(withGradients(soft), [logits, probabilities], 1e-5);
        await expectSameAsCpu(withGradients(pairs), [logits, labels], 1e-5);
      }),
      { numRuns: 30 },
    );
  });

  it.each(notFinite)('take %d as the references do', async (value) => {
    const logits = withValue(randomHost([2, 3], 1), 4, value);
    const ones = { shape: [2, 3], data: new Float32Array(6).fill(1) };
    await expectSameAsCpu(soft, [logits, ones], 1e-5);
    await expectSameAsCpu(withGradients(pairs), [logits, ones], 1e-5);
  });
});
