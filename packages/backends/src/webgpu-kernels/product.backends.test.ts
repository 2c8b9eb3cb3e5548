import { compareTensors } from '@mmllm/conformance';
import type * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { linear, matmul } from '../../../nn/src/ops';
import {
  describeOnWebgpu,
  expectSameAsCpu,
  type Host,
  onWebgpu,
  randomHost,
  withGradients,
  withValue,
} from './testing/on-webgpu';

interface Sizes {
  m: number;
  k: number;
  n: number;
  transposeA?: boolean;
  transposeB?: boolean;
  batchA?: number;
  batchB?: number;
}

const product =
  ({ transposeA, transposeB }: Sizes) =>
  (...[a, b]: tf.Tensor[]) =>
    matmul(a!, b!, { transposeA, transposeB });

function sides({ m, k, n, transposeA, transposeB, batchA, batchB }: Sizes): [Host, Host] {
  const side = (batch: number | undefined, sizes: number[], seed: number) =>
    randomHost([...(batch === undefined ? [] : [batch]), ...sizes], seed);
  return [side(batchA, transposeA ? [k, m] : [m, k], 1), side(batchB, transposeB ? [n, k] : [k, n], 2)];
}

const allTransposes = [false, true].flatMap((transposeA) =>
  [false, true].map((transposeB) => ({ transposeA, transposeB })),
);

const size = fc.integer({ min: 1, max: 45 });
const batch = fc.constantFrom(...([undefined, [1, 1], [3, 3], [1, 4], [4, 1]] as const));

describeOnWebgpu('mmllm/MatMul', () => {
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
      { numRuns: 20 },
    );
  });

  it.each(
    [
      { m: 6, k: 1030, n: 9 },
      { m: 1, k: 515, n: 131 },
      { m: 3, k: 70, n: 33, batchA: 2, batchB: 1 },
      // Enough for large tiles, with an edge on each side.
      { m: 500, k: 19, n: 450 },
    ].flatMap((sizes) => allTransposes.map((flags) => ({ ...sizes, ...flags }))),
  )('joins its tiles: %o', async (one) => {
    await expectSameAsCpu(product(one), sides(one), 2e-5);
  });

  it.each([
    { m: 0, k: 3, n: 5 },
    { m: 3, k: 0, n: 5 },
    { m: 9, k: 0, n: 5 },
    { m: 3, k: 5, n: 0 },
    { m: 2, k: 3, n: 4, batchA: 0, batchB: 0 },
  ])('takes empty sides: %o', async (one) => {
    const [out] = await onWebgpu(product(one), sides(one));
    const shape = [...(one.batchA === undefined ? [] : [one.batchA]), one.m, one.n];
    expect(out).toEqual({ shape, data: new Float32Array(shape.reduce((total, x) => total * x, 1)) });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('passes %d on', async (value) => {
    for (const m of [2, 8]) {
      const one = { m, k: 7, n: 11 };
      const [a, b] = sides(one);
      await expectSameAsCpu(product(one), [withValue(a, 10, value), b], 1e-5);
      await expectSameAsCpu(product(one), [a, withValue(b, 10, value)], 1e-5);
    }
  });

  it('gives the same bits again, and others for a changed weight', async () => {
    const one = { m: 7, k: 60, n: 35, transposeB: true };
    const [a, b] = sides(one);
    const [first] = await onWebgpu(product(one), [a, b]);
    expect((await onWebgpu(product(one), [a, b]))[0]).toEqual(first);
    const [changed] = await onWebgpu(product(one), [a, withValue(b, 123, b.data[123]! + 1e-2)]);
    expect((await compareTensors(changed!, first!, { tolerance: 2e-5 })).ok).toBe(false);
  });
});

interface Layer {
  leading: number[];
  inSize: number;
  outSize: number;
  bias: boolean;
  residual: boolean;
  activation?: (typeof activations)[number];
}

const activations = ['gelu', 'silu', 'relu2'] as const;

const layer =
  ({ bias, residual, activation }: Layer) =>
  (...[x, weight, ...rest]: tf.Tensor[]) =>
    linear(x!, weight!, {
      ...(bias && { bias: rest[0] }),
      ...(residual && { residual: rest.at(-1) }),
      ...(activation && { activation }),
    });

const layerInputs = ({ leading, inSize, outSize, bias, residual }: Layer): Host[] => [
  randomHost([...leading, inSize], 1),
  randomHost([inSize, outSize], 2),
  ...(bias ? [randomHost([outSize], 3)] : []),
  ...(residual ? [randomHost([...leading, outSize], 4)] : []),
];

describeOnWebgpu('mmllm/Linear', () => {
  it('is the reference, with its gradients, at any size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          leading: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
          inSize: size,
          outSize: size,
          bias: fc.boolean(),
          residual: fc.boolean(),
          activation: fc.constantFrom(undefined, ...activations),
        }),
        async (one) => {
          await expectSameAsCpu(withGradients(layer(one)), layerInputs(one), 2e-5);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('takes no rows, no inputs and no outputs', async () => {
    for (const [rows, inSize, outSize] of [
      [0, 3, 5],
      [3, 0, 5],
      [3, 5, 0],
    ] as const) {
      const one: Layer = {
        leading: [rows],
        inSize,
        outSize,
        bias: true,
        residual: false,
        activation: 'relu2',
      };
      const [out] = await onWebgpu(layer(one), layerInputs(one));
      const bias = layerInputs(one)[2]!.data.map((value) => Math.max(value, 0) ** 2);
      const data = Array.from({ length: rows }, () => [...bias]).flat();
      expect(out).toEqual({ shape: [rows, outSize], data: Float32Array.from(data) });
    }
  });
});
