import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { BackendError, type HeldWeight, WeightError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../../tools/testing/backends';
import { startBackend } from '../../../../backends/src/index';
import { embedding } from '../embedding';
import { linear } from '../linear';
import { randomHost, read, transposed, upload } from '../testing/float64';
import { assertWithin, HELD_TYPES, heldProduct, heldValues } from '../testing/held';
import { unembed } from '../unembed';
import type { Matrix } from './codes';
import { weightFormat } from './format';
import { holdWeight } from './hold';

const sizes = [
  { rows: 1, outputs: 11, inputs: 37 },
  { rows: 5, outputs: 8, inputs: 64 },
  { rows: 13, outputs: 19, inputs: 70 },
  { rows: 1, outputs: 1, inputs: 1 },
];

const cases = HELD_TYPES.flatMap((type) => sizes.map((size) => ({ type, ...size })));

/** A layer's weight, [In, Out], with values of a model's size. */
const layerOf = ({ outputs, inputs }: { outputs: number; inputs: number }): Matrix => ({
  values: randomHost([inputs * outputs], 2, 0.1).data,
  shape: [inputs, outputs],
  inputAxis: 0,
});

const tableOf = (count: number, width: number): Matrix => ({
  values: randomHost([count * width], 4, 0.1).data,
  shape: [count, width],
  inputAxis: 1,
});

async function withHeld(held: HeldWeight, use: (held: HeldWeight) => Promise<void>): Promise<void> {
  try {
    await use(held);
  } finally {
    held.dispose();
  }
}

describeBackends('held weights', (backend) => {
  it.each(cases)('multiply as their values do: %o', async ({ type, ...size }) => {
    const layer = layerOf(size);
    const x = randomHost([size.rows, size.inputs], 1);
    const h = heldValues(layer, type);
    await expectNoLeak(() =>
      withHeld(holdWeight(layer, type), async (held) => {
        const input = upload(x);
        const out = linear(input, held);
        assertWithin((await read(out)).data, heldProduct(x.data, h, size, type.startsWith('q')));
        tf.dispose([input, out]);
      }),
    );
  });

  it.each(cases)('pass the gradient to x: %o', async ({ type, ...size }) => {
    const { rows, outputs, inputs } = size;
    const layer = layerOf(size);
    const h = transposed(heldValues(layer, type), outputs, inputs);
    await expectNoLeak(() =>
      withHeld(holdWeight(layer, type), async (held) => {
        const [x, dy] = [upload(randomHost([rows, inputs], 1)), upload(randomHost([rows, outputs], 3))];
        const dx = tf.grad((input) => linear(input, held))(x, dy);
        const turned = { rows, outputs: inputs, inputs: outputs };
        const expected = heldProduct(
          randomHost([rows, outputs], 3).data,
          Float32Array.from(h),
          turned,
          false,
        );
        assertWithin((await read(dx)).data, expected);
        tf.dispose([x, dy, dx]);
      }),
    );
  });

  it.each(HELD_TYPES)('of %s are followed by bias, activation and residual, with gradients', async (type) => {
    const size = { outputs: 19, inputs: 40 };
    const layer = layerOf(size);
    const [x, bias, residual] = [randomHost([2, 5, 40], 1), randomHost([19], 5), randomHost([2, 5, 19], 6)];
    const values = { shape: [40, 19], data: Float32Array.from(transposed(heldValues(layer, type), 19, 40)) };
    await expectNoLeak(() =>
      withHeld(holdWeight(layer, type), async (held) => {
        const tensors = [x, bias, residual].map(upload);
        const weight = upload(values);
        const op = (w: HeldWeight | tf.Tensor) => (a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) =>
          linear(a, w, { bias: b, activation: 'silu', residual: c });
        const [fast, slow] = [held, weight].map((w) =>
          tf.tidy(() => [
            op(w)(...(tensors as [tf.Tensor, tf.Tensor, tf.Tensor])),
            ...tf.grads(op(w))(tensors),
          ]),
        );
        for (const [i, actual] of fast!.entries()) {
          await assertTensorsClose(actual, slow![i]!, { tolerance: 5e-6, name: `output ${i}` });
        }
        tf.dispose([tensors, weight, fast!, slow!]);
      }),
    );
  });

  it.each(HELD_TYPES)('of %s are a table: rows, products with all rows, and all values', async (type) => {
    const table = tableOf(21, 45);
    const h = heldValues(table, type);
    const x = randomHost([3, 45], 1);
    await expectNoLeak(() =>
      withHeld(holdWeight(table, type), async (held) => {
        expect(await held.read()).toEqual(h);
        const rows = embedding(held, Int32Array.of(20, 0, 7, 7), [2, 2]);
        const expected = [20, 0, 7, 7].flatMap((id) => [...h.subarray(id * 45, (id + 1) * 45)]);
        await assertTensorsClose(
          rows,
          { shape: [2, 2, 45], data: Float32Array.from(expected) },
          { tolerance: 0 },
        );
        const input = upload(x);
        const logits = unembed(input, held);
        expect(logits.shape).toEqual([3, 21]);
        const size = { rows: 3, outputs: 21, inputs: 45 };
        assertWithin((await read(logits)).data, heldProduct(x.data, h, size, type.startsWith('q')));
        tf.dispose([rows, input, logits]);
      }),
    );
  });

  it('of bfloat16 lose nothing that came from it', async () => {
    const bits = Uint32Array.from({ length: 300 }, (_, i) => ((i * 2654435761) & 0xbfff0000) | 0x00800000);
    const values = new Float32Array(bits.buffer);
    const layer: Matrix = { values, shape: [20, 15], inputAxis: 0 };
    await withHeld(holdWeight(layer, 'bfloat16'), async (held) => {
      expect(await held.read()).toEqual(values);
    });
  });

  it('give exact sums of integers', async () => {
    const size = { rows: 3, outputs: 10, inputs: 96 };
    const integer = (limit: number) => (_: unknown, i: number) =>
      i % 31 === 0 ? limit : ((i * 7919) % (2 * limit + 1)) - limit;
    const x = Float32Array.from({ length: size.rows * size.inputs }, integer(127));
    for (const [type, limit] of [
      ['q8', 127],
      ['q4', 7],
      ['bfloat16', 127],
      ['float16', 127],
    ] as const) {
      const values = Float32Array.from({ length: size.outputs * size.inputs }, integer(limit));
      // The value with eight steps makes the scale of a group 1.
      if (type === 'q4') for (let i = 0; i < values.length; i += 32) values[i] = -8;
      const table: Matrix = { values, shape: [size.outputs, size.inputs], inputAxis: 1 };
      await withHeld(holdWeight(table, type), async (held) => {
        const input = upload({ shape: [size.rows, size.inputs], data: x });
        const out = unembed(input, held);
        const { values: expected } = heldProduct(x, values, size, false);
        expect((await read(out)).data).toEqual(Float32Array.from(expected));
        tf.dispose([input, out]);
      });
    }
  });

  it.each(HELD_TYPES)('of %s pass NaN and infinities on', async (type) => {
    const size = { outputs: 9, inputs: 40 };
    const layer = layerOf(size);
    const h = transposed(heldValues(layer, type), 9, 40);
    await withHeld(holdWeight(layer, type), async (held) => {
      for (const value of [Number.NaN, Infinity, -Infinity]) {
        const x = randomHost([2, 40], 1);
        x.data[3] = value;
        const input = upload(x);
        const out = linear(input, held);
        const { data } = await read(out);
        for (let o = 0; o < 9; o++) expect(data[o]).toBe(value * Math.sign(h[3 * 9 + o]!));
        expect(data.subarray(9).every(Number.isFinite)).toBe(true);
        tf.dispose([input, out]);
      }
    });
  });

  it.each(HELD_TYPES)('of %s take no rows', async (type) => {
    await withHeld(holdWeight(layerOf({ outputs: 3, inputs: 5 }), type), async (held) => {
      const input = tf.zeros([0, 5]);
      const out = linear(input, held);
      expect(out.shape).toEqual([0, 3]);
      tf.dispose([input, out]);
    });
  });

  it('take the memory of their type, where the backend has kernels for them', () => {
    const before = tf.memory().numBytes;
    const hasKernels = backend === 'wasm' || backend === 'webgpu';
    const layer = layerOf({ outputs: 64, inputs: 64 });
    const bytes = { bfloat16: 2, float16: 2, q8: 36 / 32, q4: 20 / 32, q4_1: 24 / 32 };
    for (const type of HELD_TYPES) {
      const held = holdWeight(layer, type);
      expect(held.byteLength).toBe(64 * 64 * (hasKernels ? bytes[type] : 4));
      expect(tf.memory().numBytes - before).toBe(held.byteLength);
      held.dispose();
    }
    expect(tf.memory().numBytes).toBe(before);
  });

  it('have no gradient of their own', async () => {
    await withHeld(holdWeight(layerOf({ outputs: 2, inputs: 3 }), 'q8'), async (held) => {
      const x = tf.ones([1, 3]);
      if (held.packed.dtype === 'float32') {
        const product = (weight: tf.Tensor) => linear(x, { ...held, packed: weight });
        expect(() => tf.grad(product)(held.packed)).toThrow(WeightError);
      }
      x.dispose();
    });
  });
});

it('is refused on another backend than it was held on', async () => {
  await startBackend({ backend: 'wasm' });
  const held = holdWeight(layerOf({ outputs: 2, inputs: 3 }), 'q8');
  await startBackend({ backend: 'cpu' });
  const x = tf.ones([1, 3]);
  expect(() => linear(x, held)).toThrow(BackendError);
  tf.dispose(x);
  held.dispose();
});

it('refuses an unknown type', () => {
  expect(() => weightFormat('int3' as never, 0)).toThrow(
    'held weights: expected float32, bfloat16, float16, q8, q4, q4_1, got int3',
  );
  expect(weightFormat('float32', 0)).toBeUndefined();
});
