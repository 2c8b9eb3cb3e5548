import { expectNoLeak } from '@mmllm/conformance';
import { Parameter, ShapeError, turnRows, type WeightPiece, widen, zeros } from '@mmllm/core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { withScratch } from './scratch';
import { hasRelaxedSimd, heapOf, sideModule, type Variant } from './side-module';
import { randomHost, startBoth } from './testing/against-cpu';

beforeAll(async () => {
  await startBoth();
  await tf.setBackend('wasm');
});

const wasm = () => tf.backend() as BackendWasm;
const TYPES = ['float32', 'bfloat16', 'float16'] as const;

/** Numbers of a type with any bits, all kinds of NaN among those of 16. */
function noise(type: (typeof TYPES)[number], length: number): WeightPiece {
  const { data } = randomHost([length], 5, 10);
  if (type === 'float32') return { type, values: data };
  return { type, values: Uint16Array.from(data, (value, i) => (value * 2 ** 20 + i * 7919) & 0xffff) };
}

/** Their bits as float32 in the order of the weight; those of a NaN as they are. */
function expectedBits(piece: WeightPiece, width: number, turned: boolean): Uint32Array {
  const values = widen(piece);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  if (!turned) return bits;
  // As floats, NaN might change on the way.
  const [into, halves] = [new Uint16Array(2 * bits.length), new Uint16Array(bits.buffer, bits.byteOffset)];
  const height = bits.length / width;
  const turnedBits = new Uint32Array(bits.length);
  for (const shift of [0, 1]) {
    const half = halves.slice(0, 2 * bits.length).filter((_, i) => i % 2 === shift);
    turnRows(half, width, { into, height });
    for (let i = 0; i < bits.length; i++) turnedBits[i]! |= into[i]! << (16 * shift);
  }
  return turnedBits;
}

const readBits = (parameter: Parameter): Uint32Array => {
  const { buffer, byteOffset, length } = wasm().typedArrayFromHeap(parameter.value) as Float32Array;
  return new Uint32Array(buffer, byteOffset, length).slice();
};

describe('writeWeight', () => {
  it('puts pieces of any sizes where they belong, with every bit', async () => {
    await fc.assert(
      fc.property(
        fc.constantFrom(...TYPES),
        fc.boolean(),
        fc.integer({ min: 1, max: 70 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
        (type, turned, width, rows) => {
          const total = rows.reduce((sum, count) => sum + count, 0);
          const whole = noise(type, width * total);
          const shape = turned ? [width, total] : [total, width];
          const parameter = new Parameter(shape, { initializer: zeros });
          const writer = parameter.writer({ turned });
          let at = 0;
          for (const count of rows) {
            const values = whole.values.subarray(at, at + count * width);
            writer.write({ type, values } as WeightPiece);
            at += count * width;
          }
          writer.finish();
          expect(readBits(parameter)).toEqual(expectedBits(whole, width, turned));
          parameter.dispose();
        },
      ),
      { numRuns: 200 },
    );
  });

  it('takes a large piece through little scratch memory', async () => {
    for (const type of TYPES) {
      for (const turned of [false, true]) {
        const [rows, width] = [4100, 523];
        const whole = noise(type, rows * width);
        const parameter = new Parameter(turned ? [width, rows] : [rows, width], { initializer: zeros });
        const writer = parameter.writer({ turned });
        writer.write(whole);
        writer.finish();
        const expected = expectedBits(whole, width, turned);
        expect(readBits(parameter).findIndex((bits, i) => bits !== expected[i])).toBe(-1);
        parameter.dispose();
      }
    }
  });

  it('leaves no memory behind, finished or given up, and old values until the end', async () => {
    await expectNoLeak(async () => {
      const parameter = new Parameter([3, 5], { initializer: zeros });
      for (const value of [1, 2]) {
        const writer = parameter.writer({ turned: true });
        writer.write({ type: 'float32', values: new Float32Array(3).fill(value) });
        expect(parameter.ready).toBe(value === 2);
        if (value === 2) expect((await parameter.read())[0]).toBe(1);
        writer.write({ type: 'float32', values: new Float32Array(12).fill(value) });
        writer.finish();
        writer.dispose();
        expect(await parameter.read()).toEqual(new Float32Array(15).fill(value));
      }
      const given = parameter.writer();
      given.write({ type: 'bfloat16', values: new Uint16Array(5) });
      given.dispose();
      expect(await parameter.read()).toEqual(new Float32Array(15).fill(2));
      parameter.dispose();
    });
  });

  it('does not change what a clone of an earlier value holds', async () => {
    const parameter = new Parameter([4], { initializer: zeros });
    parameter.assign(Float32Array.of(1, 2, 3, 4));
    const clone = parameter.value.clone();
    parameter.assign(Float32Array.of(5, 6, 7, 8));
    expect([...(await clone.data())]).toEqual([1, 2, 3, 4]);
    clone.dispose();
    parameter.dispose();
  });

  it('refuses too many numbers, too few, and half a row', () => {
    const parameter = new Parameter([3, 2], { initializer: zeros });
    parameter.path = 'w';
    const writer = parameter.writer({ turned: true });
    const write = (count: number) => writer.write({ type: 'float32', values: new Float32Array(count) });
    expect(() => write(2)).toThrow('w: expected 6 numbers, in rows of 3, got 2 after 0.');
    write(3);
    expect(() => writer.finish()).toThrow(ShapeError);
    expect(() => write(6)).toThrow('got 6 after 3');
    writer.dispose();
    expect(() => new Parameter([3], { initializer: zeros }).writer({ turned: true })).toThrow(ShapeError);
  });
});

const variants: Variant[] = hasRelaxedSimd() ? ['plain', 'relaxed'] : ['plain'];

describe.each(variants)('packHalves in %s SIMD', (variant) => {
  it('gives the same panels in pieces of any sizes', () => {
    const kernels = sideModule(wasm(), variant);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }),
        (inputs, rows) => {
          const outputs = rows.reduce((sum, count) => sum + count, 0);
          const codes = noise('bfloat16', outputs * inputs).values as Uint16Array;
          const panels = Math.ceil(outputs / 8) * 8 * inputs;
          const heap = heapOf(wasm());
          withScratch('test', heap, 2 * (panels + codes.length), (to) => {
            const memory = new Uint16Array(heap.memory.buffer);
            memory.fill(0, to / 2, to / 2 + panels);
            memory.set(codes, to / 2 + panels);
            let first = 0;
            for (const count of rows) {
              const from = to + 2 * (panels + first * inputs);
              kernels.packHalves(from, first, count, inputs, to);
              first += count;
            }
            const packed = memory.slice(to / 2, to / 2 + panels);
            const expected = new Uint16Array(panels);
            for (let o = 0; o < outputs; o++) {
              const place = o % 8;
              const column = place < 4 ? 2 * place : 2 * place - 7;
              for (let i = 0; i < inputs; i++)
                expected[(o - place) * inputs + 8 * i + column] = codes[o * inputs + i]!;
            }
            expect(packed).toEqual(expected);
          });
        },
      ),
      { numRuns: 100 },
    );
  });
});
