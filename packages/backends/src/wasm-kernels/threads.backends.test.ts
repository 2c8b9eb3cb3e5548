import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  activate,
  crossEntropy,
  embedding,
  gated,
  layerNorm,
  linear,
  logSumExp,
  matmul,
  rmsNorm,
  rope,
  selectRows,
} from '../../../nn/src/ops';
import { startBackend, stopBackend } from '../index';
import { sideModule } from './side-module';
import { type Op, outputsOn, randomHost, withGradients } from './testing/against-cpu';

/** More than the machine may have, so that some come late. */
const THREADS = 5;

const kernels = () => sideModule(tf.backend() as BackendWasm);

beforeAll(async () => {
  const { device } = await startBackend({ backend: 'wasm', threads: THREADS });
  expect(device).toBe(`SIMD, ${THREADS} threads`);
  kernels().splitFrom(0);
});

afterAll(async () => {
  kernels().splitFrom(1e5);
  await stopBackend();
});

/** Every bit of what an op gives on one thread and on several. */
async function expectSameBits(op: Op, shapes: readonly number[][]): Promise<void> {
  const inputs = shapes.map((shape, i) => randomHost(shape, i + 1));
  const several = await outputsOn('wasm', op, inputs);
  kernels().setThreads(1);
  const one = await outputsOn('wasm', op, inputs);
  kernels().setThreads(THREADS);
  expect(several).toEqual(one);
}

const size = fc.integer({ min: 1, max: 70 });

describe('threads', () => {
  it.each([
    { what: 'few rows, many columns', m: 3, k: 40, n: 700 },
    { what: 'many rows, few columns', m: 301, k: 17, n: 5 },
    { what: 'several blocks', m: 97, k: 1030, n: 1100 },
    { what: 'an empty inner size', m: 9, k: 0, n: 400 },
  ])('leave every bit of a product as it is: $what', async ({ m, k, n }) => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const shapes = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]];
        await expectSameBits((a, b) => matmul(a!, b!, { transposeA, transposeB }), shapes);
      }
    }
  });

  it('leave every bit of batches as it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), size, size, size, (batch, m, k, n) =>
        expectSameBits(
          withGradients((a, b) => matmul(a!, b!)),
          [
            [batch, m, k],
            [batch, k, n],
          ],
        ),
      ),
      { numRuns: 30 },
    );
  });

  it('leave every bit of a layer as it is', async () => {
    await fc.assert(
      fc.asyncProperty(size, size, fc.integer({ min: 1, max: 500 }), (m, k, n) =>
        expectSameBits(
          withGradients((x, weight, bias, residual) =>
            linear(x!, weight!, { bias, activation: 'gelu', residual }),
          ),
          [[m, k], [k, n], [n], [m, n]],
        ),
      ),
      { numRuns: 30 },
    );
  });

  it('leave every bit of row-wise and element-wise kernels as it is', async () => {
    await fc.assert(
      fc.asyncProperty(size, fc.integer({ min: 1, max: 200 }), async (rows, width) => {
        const x = [rows, width];
        const ids = Int32Array.from({ length: rows }, (_, i) => (i * 7) % rows);
        await expectSameBits(
          withGradients((a, gain, bias) => layerNorm(a!, gain, bias, 1e-5)),
          [x, [width], [width]],
        );
        await expectSameBits(
          withGradients((a, gain) => rmsNorm(a!, gain!, 1e-5)),
          [x, [width]],
        );
        await expectSameBits(
          withGradients((gate, up) => gated(activate(gate!, 'gelu'), up!, 'silu')),
          [x, x],
        );
        await expectSameBits(
          withGradients((a) => logSumExp(a!)),
          [x],
        );
        await expectSameBits(
          withGradients((a) =>
            crossEntropy(
              a as tf.Tensor2D,
              ids.map((id) => id % width),
            ),
          ),
          [x],
        );
        await expectSameBits(
          withGradients((table) => embedding(table!, ids, [rows])),
          [x],
        );
        await expectSameBits((a) => selectRows(a as tf.Tensor2D, Int32Array.of(rows - 1, -1)), [x]);
      }),
      { numRuns: 15 },
    );
  });

  it('leave every bit of turned positions as it is', async () => {
    await fc.assert(
      fc.asyncProperty(size, fc.integer({ min: 1, max: 20 }), fc.boolean(), (length, pairs, interleaved) =>
        expectSameBits(
          (...inputs) => {
            const [x, cos, sin] = inputs as tf.Tensor3D[];
            return rope(x!, cos!, sin!, { numHeads: 3, interleaved });
          },
          [
            [2, length, 6 * pairs],
            [1, length, pairs],
            [1, length, pairs],
          ],
        ),
      ),
      { numRuns: 20 },
    );
  });

  it('are there again after sleep', async () => {
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      await expectSameBits(
        (a, b) => matmul(a!, b!),
        [
          [64, 64],
          [64, 400],
        ],
      );
    }
  });

  it('stay right while the memory grows', async () => {
    const kept: tf.Tensor[] = [];
    for (let i = 0; i < 30; i++) {
      kept.push(tf.zeros([500_000 + i]));
      if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      await expectSameBits(
        (a, b) => matmul(a!, b!),
        [
          [13, 515],
          [515, 1026],
        ],
      );
    }
    tf.dispose(kept);
  });

  it.each([0, -1, 1.5, Number.NaN])('are refused in a number of %d', async (threads) => {
    await expect(startBackend({ backend: 'wasm', threads })).rejects.toThrow(
      `backends.threads: expected a positive whole number, got ${threads}.`,
    );
  });
});
