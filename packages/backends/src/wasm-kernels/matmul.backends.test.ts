import { compareTensors } from '@mmllm/conformance';
import type * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { linear, matmul } from '../../../nn/src/ops';
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

interface Product {
  m: number;
  k: number;
  n: number;
  transposeA?: boolean;
  transposeB?: boolean;
  batchA?: number;
  batchB?: number;
}

const product =
  ({ transposeA, transposeB }: Product) =>
  (...[a, b]: tf.Tensor[]) =>
    matmul(a!, b!, { transposeA, transposeB });

function sides({ m, k, n, transposeA, transposeB, batchA, batchB }: Product): [Host, Host] {
  const side = (batch: number | undefined, sizes: number[], seed: number) =>
    randomHost([...(batch === undefined ? [] : [batch]), ...sizes], seed);
  return [side(batchA, transposeA ? [k, m] : [m, k], 1), side(batchB, transposeB ? [n, k] : [k, n], 2)];
}

const allTransposes = [false, true].flatMap((transposeA) =>
  [false, true].map((transposeB) => ({ transposeA, transposeB })),
);

const size = fc.integer({ min: 1, max: 45 });
const batch = fc.constantFrom(...([undefined, [1, 1], [3, 3], [1, 4], [4, 1]] as const));

describe('mmllm/MatMul on wasm', () => {
  it('is the reference, with its gradients, at any size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ m: size, k: size, n: size, transposeA: fc.boolean(), transposeB: fc.boolean() }),
        batch,
        async (sizes, batches) => {
          const one = { ...sizes, ...(batches && { batchA: batches[0], batchB: batches[1] }) };
          await expectSameAsCpu(withGradients(product(one)), sides(one), 1e-5);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(
    [
      { m: 50, k: 1030, n: 9 },
      { m: 7, k: 33, n: 1061 },
      { m: 13, k: 515, n: 1026 },
      { m: 101, k: 3, n: 40 },
      { m: 1, k: 520, n: 1031 },
      { m: 64, k: 64, n: 64, batchA: 3, batchB: 3 },
    ].flatMap((sizes) => allTransposes.map((flags) => ({ ...sizes, ...flags }))),
  )('joins its blocks: %o', async (one) => {
    await expectSameAsCpu(product(one), sides(one), 2e-5);
  });

  it.each([
    { m: 0, k: 3, n: 5 },
    { m: 3, k: 0, n: 5 },
    { m: 3, k: 5, n: 0 },
    { m: 2, k: 3, n: 4, batchA: 0, batchB: 0 },
  ])('takes empty sides: %o', async (one) => {
    for (const flags of allTransposes) {
      const [out] = await outputsOn('wasm', product({ ...one, ...flags }), sides({ ...one, ...flags }));
      const shape = [...(one.batchA === undefined ? [] : [one.batchA]), one.m, one.n];
      expect(out).toEqual({ shape, data: new Float32Array(shape.reduce((total, x) => total * x, 1)) });
    }
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('passes %d on', async (value) => {
    for (const flags of allTransposes) {
      const one = { m: 8, k: 7, n: 11, ...flags };
      const [a, b] = sides(one);
      await expectSameAsCpu(product(one), [withValue(a, 10, value), b], 1e-5);
      await expectSameAsCpu(product(one), [a, withValue(b, 10, value)], 1e-5);
    }
  });

  it('gives the same bits again, and others for a changed weight', async () => {
    const one = { m: 70, k: 600, n: 35, transposeB: true };
    const [a, b] = sides(one);
    const [first] = await outputsOn('wasm', product(one), [a, b]);
    const [again] = await outputsOn('wasm', product(one), [a, b]);
    expect(again).toEqual(first);
    const [changed] = await outputsOn('wasm', product(one), [a, withValue(b, 1234, b.data[1234]! + 1e-2)]);
    expect((await compareTensors(changed!, first!, { tolerance: 2e-5 })).ok).toBe(false);
  });
});

interface Layer {
  leading: number[];
  inSize: number;
  outSize: number;
  bias: boolean;
  activation?: (typeof activations)[number];
}

const activations = ['gelu', 'gelu_tanh', 'quick_gelu', 'silu', 'relu', 'relu2', 'tanh', 'sigmoid'] as const;

const layer =
  ({ activation }: Layer) =>
  (...[x, weight, residual, bias]: tf.Tensor[]) =>
    linear(x!, weight!, { bias, activation, residual });

const layerInputs = ({ leading, inSize, outSize, bias }: Layer): Host[] => [
  randomHost([...leading, inSize], 1),
  randomHost([inSize, outSize], 2),
  randomHost([...leading, outSize], 4),
  ...(bias ? [randomHost([outSize], 3)] : []),
];

describe('mmllm/Linear on wasm', () => {
  it('is the reference, with its gradients, at any size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          leading: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
          inSize: size,
          outSize: size,
          bias: fc.boolean(),
          activation: fc.constantFrom(undefined, ...activations),
        }),
        async (one) => {
          await expectSameAsCpu(withGradients(layer(one)), layerInputs(one), 2e-5);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(activations)('applies %s over the whole range', async (activation) => {
    const values = [
      -200, -90, -30, -10, -5, -2.5, -1, -0.7, -0.6, -1e-3, 0, 1e-6, 0.3, 0.62, 0.63, 1, 3, 8, 20,
    ];
    const x = { shape: [values.length, 1], data: Float32Array.from(values) };
    const one = { shape: [1, 1], data: Float32Array.of(1) };
    const op = (...[input, weight]: tf.Tensor[]) => linear(input!, weight!, { activation });
    await expectSameAsCpu(op, [x, one], 2e-6);
    await expectSameAsCpu(op, [withValue(x, 3, Number.NaN), one], 2e-6);
  });

  it('takes no rows, no inputs and no outputs', async () => {
    for (const [rows, inSize, outSize] of [
      [0, 3, 5],
      [3, 0, 5],
      [3, 5, 0],
    ] as const) {
      const one: Layer = { leading: [rows], inSize, outSize, bias: true, activation: 'relu' };
      const [out] = await outputsOn('wasm', layer(one), layerInputs(one));
      const [, , residual, bias] = layerInputs(one);
      const data = residual!.data.map((value, i) => Math.max(bias!.data[i % outSize]!, 0) + value);
      expect(out).toEqual({ shape: [rows, outSize], data });
    }
  });
});
