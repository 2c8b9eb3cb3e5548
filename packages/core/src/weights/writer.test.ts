import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { ShapeError, WeightError } from '../errors';
import type { HeldWeight, WeightFormat } from '../held-weight';
import { zeros } from '../initializers';
import { Parameter } from '../parameter';
import { type WeightPiece, widen } from './piece';
import { turnRows } from './turn';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const count = (length: number) => Float32Array.from({ length }, (_, i) => i);

const piece = (...values: number[]): WeightPiece => ({ type: 'float32', values: Float32Array.from(values) });

describe('widen', () => {
  it('gives what each type counts as', () => {
    const values = Uint16Array.of(0x3f80, 0x8000, 0x7f80, 0x0001);
    expect([...widen({ type: 'bfloat16', values })]).toEqual([1, -0, Infinity, 2 ** -133]);
    const halves = Uint16Array.of(0x3c00, 0x8000, 0xfc00, 0x0001, 0x7bff);
    expect([...widen({ type: 'float16', values: halves })]).toEqual([1, -0, -Infinity, 2 ** -24, 65504]);
    const floats = count(3);
    expect(widen({ type: 'float32', values: floats })).toBe(floats);
  });
});

describe('turnRows', () => {
  it.each([
    [1, 1, 0],
    [3, 5, 2],
    [33, 70, 7],
  ])('puts rows of [%d, %d] behind %d columns', (rows, columns, first) => {
    const height = first + rows;
    const into = new Float32Array(columns * height).fill(-1);
    turnRows(count(rows * columns), columns, { into, height, first });
    for (let c = 0; c < columns; c++)
      for (let r = 0; r < height; r++)
        expect(into[c * height + r]).toBe(r < first ? -1 : (r - first) * columns + c);
  });
});

describe('Parameter.writer', () => {
  it('takes rows, or columns of what is turned, and changes nothing before the end', async () => {
    const before = tf.memory().numTensors;
    const parameter = new Parameter([2, 3], { initializer: zeros });
    for (const [turned, pieces, expected] of [
      [false, [piece(1, 2, 3), piece(4, 5, 6)], [1, 2, 3, 4, 5, 6]],
      [true, [piece(1, 2), piece(3, 4, 5, 6)], [1, 3, 5, 2, 4, 6]],
    ] as const) {
      const old = parameter.ready && (await parameter.read());
      const writer = parameter.writer({ turned });
      for (const one of pieces) writer.write(one);
      expect(parameter.ready && (await parameter.read())).toEqual(old);
      writer.finish();
      expect([...(await parameter.read())]).toEqual(expected);
      expect(tf.memory().numTensors).toBe(before + 1);
    }
    parameter.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('takes a scalar', async () => {
    const parameter = new Parameter([], { initializer: zeros });
    const writer = parameter.writer();
    writer.write(piece(7));
    writer.finish();
    expect([...(await parameter.read())]).toEqual([7]);
    parameter.dispose();
  });

  it('survives a tidy that is around it', async () => {
    const parameter = new Parameter([2], { initializer: zeros });
    tf.tidy(() => parameter.assign(Float32Array.of(1, 2)));
    expect([...(await parameter.read())]).toEqual([1, 2]);
    parameter.dispose();
  });

  it('gathers for a format that wants the whole weight, and asks one that does not', () => {
    const seen: unknown[] = [];
    const held = { dispose: () => {} } as HeldWeight;
    const format: WeightFormat = {
      type: 'q8',
      hold: (values) => {
        seen.push([...values]);
        if (values.includes(9)) throw new WeightError({ component: 'w', expected: 'no 9', actual: '9' });
        return held;
      },
      writer: (_, path, { turned }) =>
        turned
          ? undefined
          : {
              write: ({ values }) => seen.push(`${path} ${values}`),
              finish: () => held,
              dispose: () => seen.push('given up'),
            },
    };
    const parameter = new Parameter([2, 2], { initializer: zeros });
    parameter.path = 'w';
    parameter.hold(format);
    const gathering = parameter.writer({ turned: true });
    for (const values of [piece(1, 2), piece(3, 4)]) gathering.write(values);
    gathering.finish();
    expect(parameter.held).toBe(held);
    const direct = parameter.writer();
    direct.write(piece(5, 6));
    direct.dispose();
    expect(seen).toEqual([[1, 3, 2, 4], 'w 5,6', 'given up']);
    const refused = parameter.writer({ turned: true });
    refused.write(piece(1, 2, 3, 9));
    expect(() => refused.finish()).toThrow(WeightError);
    expect(parameter.held).toBe(held);
  });

  it('refuses numbers that are no whole rows, too many and too few', () => {
    const parameter = new Parameter([2, 3], { initializer: zeros });
    parameter.path = 'w';
    const writer = parameter.writer();
    expect(() => writer.write(piece(1, 2))).toThrow('w: expected 6 numbers, in rows of 3, got 2 after 0.');
    writer.write(piece(1, 2, 3));
    expect(() => writer.write(piece(1, 2, 3, 4, 5, 6))).toThrow(ShapeError);
    expect(() => writer.finish()).toThrow('got 3.');
    expect(() => new Parameter([3], { initializer: zeros }).writer({ turned: true })).toThrow(ShapeError);
    expect(parameter.ready).toBe(false);
  });
});
