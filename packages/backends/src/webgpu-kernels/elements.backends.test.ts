import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ACTIVATIONS, activate, embedding, gated, rope, selectRows } from '../../../nn/src/ops';
import {
  describeOnWebgpu,
  expectSameAsCpu,
  type Host,
  onWebgpu,
  randomHost,
  withGradients,
  withValue,
} from './testing/on-webgpu';

const shapes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });

describeOnWebgpu('mmllm/Activate, mmllm/Gated and their gradients', () => {
  it.each(ACTIVATIONS)('are the references for any shape: %s', async (kind) => {
    const activation = withGradients((...[x]) => activate(x!, kind));
    const gate = withGradients((...[x, up]) => gated(x!, up!, kind));
    await fc.assert(
      fc.asyncProperty(shapes, fc.constantFrom(0.01, 1, 10), async (shape, scale) => {
        await expectSameAsCpu(activation, [randomHost(shape, 1, scale)], 5e-6);
        await expectSameAsCpu(gate, [randomHost(shape, 1, scale), randomHost(shape, 2)], 5e-6);
      }),
      { numRuns: 4 },
    );
  });

  it.each(ACTIVATIONS)('keep NaN, and take the largest numbers and no elements: %s', async (kind) => {
    const op = (...[x]: tf.Tensor[]) => activate(x!, kind);
    const x = { shape: [5], data: Float32Array.of(-1e30, -200, Number.NaN, 200, 1e18) };
    const [out, dx] = await onWebgpu(withGradients(op), [x]);
    expect([...out!.data].map(Number.isNaN)).toEqual([false, false, true, false, false]);
    expect(dx!.data[2]).toBeNaN();
    expect(await onWebgpu(op, [randomHost([0, 3], 1)])).toEqual([randomHost([0, 3], 1)]);
  });
});

interface Turn {
  batch: number;
  length: number;
  heads: number;
  pairs: number;
  /** Dimensions of a head that do not turn. */
  still: number;
  interleaved: boolean;
  perSample: boolean;
}

describeOnWebgpu('mmllm/Rope', () => {
  const small = fc.integer({ min: 1, max: 5 });

  it('is the reference, with its gradient, for every layout', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record<Turn>({
          batch: small,
          length: small,
          heads: small,
          pairs: small,
          still: fc.integer({ min: 0, max: 3 }),
          interleaved: fc.boolean(),
          perSample: fc.boolean(),
        }),
        async ({ batch, length, heads, pairs, still, interleaved, perSample }) => {
          const shape: [number, number, number] = [perSample ? batch : 1, length, pairs];
          const angles = randomHost(shape, 7, 3).data;
          const op = (...[x]: tf.Tensor[]) =>
            rope(
              x as tf.Tensor3D,
              tf.tensor3d(angles.map(Math.cos), shape),
              tf.tensor3d(angles.map(Math.sin), shape),
              { numHeads: heads, rotaryDim: 2 * pairs, interleaved },
            );
          const x = randomHost([batch, length, heads * (2 * pairs + still)], 1);
          await expectSameAsCpu(withGradients(op), [x], 2e-6);
        },
      ),
      { numRuns: 20 },
    );
  });
});

describeOnWebgpu('mmllm/Embedding, mmllm/SelectRows and their gradients', () => {
  it('are the references for any ids', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 150 }),
        fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 60 }),
        async (vocabSize, width, numbers) => {
          const ids = Int32Array.from(numbers, (id) => id % vocabSize);
          const op = (...[table]: tf.Tensor[]) => embedding(table!, ids, [ids.length]);
          await expectSameAsCpu(withGradients(op), [randomHost([vocabSize, width], 1)], 1e-5);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('select any rows', async () => {
    const x = withValue(randomHost([6, 70], 1), 80, Number.POSITIVE_INFINITY);
    for (const index of [[5, -1, 1, 0], [-1], [3]]) {
      const op = (...[rows]: tf.Tensor[]) => selectRows(rows as tf.Tensor2D, Int32Array.from(index));
      await expectSameAsCpu(op, [x], 0);
      await expectSameAsCpu(withGradients(op), [randomHost([6, 70], 1)], 0);
    }
  });

  it('add in the same order again, and take no ids', async () => {
    const gradientOf = (ids: Int32Array, table: Host) =>
      onWebgpu(
        withGradients((...[x]) => embedding(x!, ids, [ids.length])),
        [table],
      );
    const ids = Int32Array.from({ length: 300 }, (_, i) => (i * i) % 4);
    const first = await gradientOf(ids, randomHost([5, 9], 1));
    expect(await gradientOf(ids, randomHost([5, 9], 1))).toEqual(first);
    const [, none] = await gradientOf(new Int32Array(0), randomHost([5, 9], 1));
    expect(none).toEqual({ shape: [5, 9], data: new Float32Array(45) });
  });
});

describeOnWebgpu('mmllm/AdamW', () => {
  const attrs = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-6, weightDecay: 0.1, step: 3 };

  it('is its formula for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.constantFrom(undefined, 0.3), async (shape, scale) => {
        const hosts = [1, 2, 3, 4].map((seed) => randomHost(shape, seed));
        hosts[3]!.data = hosts[3]!.data.map(Math.abs);
        const outputs = await onWebgpu(
          (parameter, gradient, m, v) =>
            tf.engine().runKernel(
              'mmllm/AdamW',
              {
                ...{ parameter: parameter!, gradient: gradient!, m: m!, v: v! },
                ...(scale !== undefined && { scale: tf.scalar(scale) }),
              },
              attrs,
            ) as tf.Tensor[],
          hosts,
        );
        const expected = adamw(hosts, scale ?? 1);
        for (const [i, { data }] of outputs.entries()) {
          for (const [j, value] of data.entries()) expect(value).toBeCloseTo(expected[i]![j]!, 5);
        }
      }),
      { numRuns: 8 },
    );
  });

  function adamw([parameter, gradient, m, v]: Host[], scale: number): number[][] {
    const { learningRate, beta1, beta2, eps, weightDecay, step } = attrs;
    const g = [...gradient!.data].map((value) => value * scale);
    const newM = g.map((value, i) => beta1 * m!.data[i]! + (1 - beta1) * value);
    const newV = g.map((value, i) => beta2 * v!.data[i]! + (1 - beta2) * value ** 2);
    const moved = newM.map((mean, i) => {
      const root = Math.sqrt(newV[i]! / (1 - beta2 ** step)) + eps;
      const move = (learningRate * mean) / (1 - beta1 ** step) / root;
      return parameter!.data[i]! * (1 - learningRate * weightDecay) - move;
    });
    return [moved, newM, newV];
  }
});
