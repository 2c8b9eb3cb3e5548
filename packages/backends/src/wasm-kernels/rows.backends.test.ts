import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { embedding, rope, selectRows } from '../../../nn/src/ops';
import { columnSums } from '../../../nn/src/ops/column-sums';
import {
  expectSameAsCpu,
  type Host,
  type Op,
  outputsOn,
  randomHost,
  startBoth,
  withGradients,
  withValue,
} from './testing/against-cpu';

beforeAll(startBoth);

const few = fc.integer({ min: 1, max: 4 });
const size = fc.integer({ min: 1, max: 40 });

describe('mmllm/Rope on wasm', () => {
  interface Turn {
    sizes: [batch: number, length: number, heads: number, headSize: number];
    pairs: number;
    interleaved: boolean;
    sameForAll: boolean;
  }

  const turns = fc
    .record({
      sizes: fc.tuple(few, few, few, fc.integer({ min: 2, max: 21 })),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      interleaved: fc.boolean(),
      sameForAll: fc.boolean(),
    })
    .map(({ share, ...rest }): Turn => {
      const most = Math.floor(rest.sizes[3] / 2);
      return { ...rest, pairs: Math.max(1, Math.round(share * most)) };
    });

  /** The op and, by hand, its gradient: the tables have none. */
  const turning =
    ({ sizes: [, , numHeads], pairs, interleaved }: Turn): Op =>
    (...inputs) => {
      const [x, cos, sin, dy] = inputs as tf.Tensor3D[];
      const op = (input: tf.Tensor3D) =>
        rope(input, cos!, sin!, { numHeads, rotaryDim: 2 * pairs, interleaved });
      return [op(x!), tf.grad((input: tf.Tensor) => op(input as tf.Tensor3D))(x!, dy)];
    };

  function inputsOf({ sizes: [batch, length, heads, headSize], pairs, sameForAll }: Turn): Host[] {
    const table = [sameForAll ? 1 : batch, length, pairs];
    const x = [batch, length, heads * headSize];
    return [randomHost(x, 1), randomHost(table, 2), randomHost(table, 3), randomHost(x, 4)];
  }

  it('is the reference, both ways, for any layout', async () => {
    await fc.assert(
      fc.asyncProperty(turns, (turn) => expectSameAsCpu(turning(turn), inputsOf(turn), 1e-6)),
      { numRuns: 60 },
    );
  });

  it('keeps NaN and infinity to their pair, where the product of the reference spreads them', async () => {
    const turn: Turn = { sizes: [1, 2, 2, 6], pairs: 2, interleaved: false, sameForAll: true };
    const [x, ...rest] = inputsOf(turn);
    const notFinite = async (at: number, value: number) => {
      const [out] = await outputsOn('wasm', turning(turn), [withValue(x!, at, value), ...rest]);
      return [...out!.data.entries()].filter(([, y]) => !Number.isFinite(y)).map(([i]) => i);
    };
    expect(await notFinite(6, Number.NaN)).toEqual([6, 8]);
    expect(await notFinite(15, Number.POSITIVE_INFINITY)).toEqual([13, 15]);
    expect(await notFinite(17, Number.NEGATIVE_INFINITY)).toEqual([17]);
  });

  it('takes no positions', async () => {
    const turn: Turn = { sizes: [2, 0, 3, 4], pairs: 2, interleaved: true, sameForAll: false };
    const [out] = await outputsOn('wasm', turning(turn), inputsOf(turn));
    expect(out).toEqual({ shape: [2, 0, 12], data: new Float32Array() });
  });
});

describe('mmllm/Embedding and mmllm/EmbeddingGrad on wasm', () => {
  const lookUp =
    (ids: number[]) =>
    (...[table]: tf.Tensor[]) =>
      embedding(table!, Int32Array.from(ids), [ids.length]);

  it('are the references for any table and ids', async () => {
    const ids = size.chain((vocabSize) =>
      fc.tuple(fc.constant(vocabSize), fc.array(fc.nat({ max: vocabSize - 1 }), { minLength: 1 })),
    );
    await fc.assert(
      fc.asyncProperty(ids, size, async ([vocabSize, chosen], width) => {
        await expectSameAsCpu(withGradients(lookUp(chosen)), [randomHost([vocabSize, width], 1)], 2e-6);
      }),
      { numRuns: 40 },
    );
  });

  it('read only the rows that are asked for, and take no ids', async () => {
    const table = withValue(randomHost([3, 2], 1), 3, Number.NaN);
    const [out] = await outputsOn('wasm', lookUp([2, 0, 2]), [table]);
    expect(out!.data.every(Number.isFinite)).toBe(true);
    const [none, gradient] = await outputsOn('wasm', withGradients(lookUp([])), [table]);
    expect(none).toEqual({ shape: [0, 2], data: new Float32Array() });
    expect(gradient).toEqual({ shape: [3, 2], data: new Float32Array(6) });
  });
});

describe('mmllm/SelectRows on wasm', () => {
  const select =
    (index: number[]) =>
    (...[x]: tf.Tensor[]) =>
      selectRows(x as tf.Tensor2D, Int32Array.from(index));

  it('is the reference, with its gradient, for any rows', async () => {
    const indices = size.chain((rows) =>
      fc.tuple(
        fc.constant(rows),
        fc.shuffledSubarray(
          [...Array.from({ length: rows }, (_, i) => i), ...new Array<number>(rows).fill(-1)],
          { minLength: 1 },
        ),
      ),
    );
    await fc.assert(
      fc.asyncProperty(indices, size, ([rows, index], width) =>
        expectSameAsCpu(withGradients(select(index)), [randomHost([rows, width], 1)], 0),
      ),
      { numRuns: 40 },
    );
  });

  it('gives zeros where no row is asked for, whatever the others hold', async () => {
    const x: Host = { shape: [2, 1], data: Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY) };
    const [out] = await outputsOn('wasm', select([-1, 1, -1]), [x]);
    expect(out!.data).toEqual(Float32Array.of(0, Number.POSITIVE_INFINITY, 0));
    const [none] = await outputsOn('wasm', select([]), [x]);
    expect(none).toEqual({ shape: [0, 1], data: new Float32Array() });
  });
});

describe('mmllm/ColumnSums on wasm', () => {
  const sums = (...[x]: tf.Tensor[]) => columnSums(x!);

  it('is the reference for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(few, size, size, (first, second, width) =>
        expectSameAsCpu(sums, [randomHost([first, second, width], 1)], 5e-6),
      ),
      { numRuns: 40 },
    );
  });

  it.each([Number.NaN, Number.NEGATIVE_INFINITY])('passes %d on to its column', async (value) => {
    await expectSameAsCpu(sums, [withValue(randomHost([5, 7], 1), 16, value)], 1e-6);
  });

  it('gives zeros for no rows', async () => {
    expect(await outputsOn('wasm', sums, [randomHost([0, 3], 1)])).toEqual([
      { shape: [3], data: new Float32Array(3) },
    ]);
  });
});
