import type { HeldType } from '@mmllm/core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { holdWeight, linear } from '../../../nn/src/ops';
import { encode, type Matrix } from '../../../nn/src/ops/held/codes';
import { transposed } from '../../../nn/src/ops/testing/float64';
import { assertWithin, HELD_TYPES, heldProduct, heldValues } from '../../../nn/src/ops/testing/held';
import { withScratch } from './scratch';
import { hasRelaxedSimd, heapOf, sideModule, type Variant } from './side-module';
import { randomHost, read, startBoth, upload } from './testing/against-cpu';

beforeAll(async () => {
  await startBoth();
  await tf.setBackend('wasm');
});

interface Product {
  type: HeldType;
  rows: number;
  outputs: number;
  inputs: number;
}

const wasm = () => tf.backend() as BackendWasm;
const typeNumber = (type: HeldType) => HELD_TYPES.indexOf(type);
const address = (tensor: tf.Tensor) => wasm().dataIdMap.get(tensor.dataId).memoryOffset;

const matrixOf = ({ outputs, inputs }: Product): Matrix => ({
  values: randomHost([outputs * inputs], 2, 0.2).data,
  shape: [outputs, inputs],
  inputAxis: 1,
});

/** The product and its gradient by one variant of the module, as float32[rows, outputs] and float32[rows, inputs]. */
async function byVariant(
  variant: Variant,
  { type, rows, outputs, inputs }: Product,
  matrix: Matrix,
  x: Float32Array,
  dy: Float32Array,
): Promise<{ y: Float32Array; dx: Float32Array }> {
  const kernels = sideModule(wasm(), variant);
  const held = holdWeight(matrix, type);
  const [from, back] = [tf.tensor1d(x), tf.tensor1d(dy)];
  const [y, dx] = [tf.zeros([rows * outputs]), tf.zeros([rows * inputs])];
  const packed = address(held.packed);
  const number = typeNumber(type);
  withScratch('test', heapOf(wasm()), kernels.heldScratch(number, inputs, rows), (scratch) => {
    kernels.heldLinear(
      number,
      packed,
      outputs,
      inputs,
      address(from),
      rows,
      0,
      address(y),
      -1,
      0,
      0,
      scratch,
    );
    kernels.heldGradient(number, packed, outputs, inputs, address(back), rows, address(dx), scratch);
  });
  const result = { y: (await read(y)).data.slice(), dx: (await read(dx)).data.slice() };
  tf.dispose([from, back, y, dx]);
  held.dispose();
  return result;
}

async function expectProduct(variant: Variant, one: Product): Promise<void> {
  const { type, rows, outputs, inputs } = one;
  const matrix = matrixOf(one);
  const h = heldValues(matrix, type);
  const x = randomHost([rows * inputs], 1).data;
  const dy = randomHost([rows * outputs], 3).data;
  const { y, dx } = await byVariant(variant, one, matrix, x, dy);
  // More than eight rows are products of float32.
  assertWithin(y, heldProduct(x, h, one, type.startsWith('q') && rows <= 8));
  const turned = Float32Array.from(transposed(h, outputs, inputs));
  assertWithin(dx, heldProduct(dy, turned, { rows, outputs: inputs, inputs: outputs }, false));
}

const variants: Variant[] = hasRelaxedSimd() ? ['plain', 'relaxed'] : ['plain'];

describe.each(variants)('held weights in %s SIMD', (variant) => {
  it('multiply at any size as their values do, in both directions', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          type: fc.constantFrom(...HELD_TYPES),
          rows: fc.integer({ min: 1, max: 20 }),
          outputs: fc.integer({ min: 1, max: 45 }),
          inputs: fc.integer({ min: 1, max: 110 }),
        }),
        (one) => expectProduct(variant, one),
      ),
      { numRuns: 120 },
    );
  });

  it.each(
    HELD_TYPES.flatMap((type) => [
      { type, rows: 3, outputs: 520, inputs: 1037 },
      { type, rows: 50, outputs: 300, inputs: 545 },
      { type, rows: 13, outputs: 1043, inputs: 33 },
    ]),
  )('join their blocks: %o', (one) => expectProduct(variant, one));

  it.each(['q8', 'q4'] as const)('of %s are exact where x and weights are whole numbers', async (type) => {
    const [rows, outputs, inputs] = [2, 16, 1000];
    const integers = (limit: number, size: number) =>
      Float32Array.from({ length: size }, (_, i) =>
        i % 32 === 0 ? (type === 'q4' && limit < 127 ? -8 : limit) : ((i * 7919) % (2 * limit + 1)) - limit,
      );
    // Rows of 1024, of which the last 24 do not count, keep the largest value at the head of each group.
    const padded = (values: Float32Array) =>
      Float32Array.from(
        { length: (values.length / 1024) * inputs },
        (_, i) => values[Math.floor(i / inputs) * 1024 + (i % inputs)]!,
      );
    const matrix: Matrix = {
      values: padded(integers(type === 'q8' ? 127 : 7, outputs * 1024)),
      shape: [outputs, inputs],
      inputAxis: 1,
    };
    const x = padded(integers(127, rows * 1024));
    const { y } = await byVariant(variant, { type, rows, outputs, inputs }, matrix, x, x);
    const { values } = heldProduct(x, matrix.values, { rows, outputs, inputs }, false);
    expect(y).toEqual(Float32Array.from(values));
  });
});

describe('held weights', () => {
  it('of 8 and 4 bits code x where it is tiny, and zero', async () => {
    for (const type of ['q8', 'q4'] as const) {
      const one = { type, rows: 3, outputs: 9, inputs: 40 };
      const x = randomHost([3 * 40], 1).data;
      x.fill(0, 0, 40);
      for (let i = 40; i < 80; i++) x[i]! *= 1e-30;
      for (let i = 80; i < 120; i++) x[i]! *= 1e30;
      const matrix = matrixOf(one);
      const { y } = await byVariant(variants.at(-1)!, one, matrix, x, new Float32Array(27));
      assertWithin(y, heldProduct(x, heldValues(matrix, type), one, true));
    }
  });

  it('are a part of what the memory holds, and leave nothing behind', () => {
    const before = tf.memory();
    const one = { type: 'q4', rows: 1, outputs: 512, inputs: 512 } as const;
    const held = holdWeight(matrixOf(one), 'q4');
    expect(tf.memory().numBytes - before.numBytes).toBe((512 * 512 * 5) / 8);
    const x = upload(randomHost([1, 512], 1));
    linear(x, { ...held, inputAxis: 0, shape: [512, 512] }).dispose();
    x.dispose();
    held.dispose();
    expect(tf.memory()).toMatchObject({ numBytes: before.numBytes, numTensors: before.numTensors });
  });

  it('are refused as float32', () => {
    const codes = encode(matrixOf({ type: 'q8', rows: 1, outputs: 2, inputs: 3 }), 'q8', 'w');
    const [x, weight] = [tf.ones([1, 3]), tf.ones([2, 3])];
    const attrs = { ...codes, activation: undefined } as unknown as tf.NamedAttrMap;
    expect(() => tf.engine().runKernel('mmllm/HeldLinear', { x, weight }, attrs)).toThrow(
      'mmllm/HeldLinear on wasm: expected weight of int32, got float32',
    );
    tf.dispose([x, weight]);
  });
});
