import { expectNoLeak } from '@mmllm/conformance';
import {
  fromBfloat16,
  fromFloat16,
  Parameter,
  toBfloat16,
  toFloat16,
  WeightError,
  type WeightPiece,
  widen,
  zeros,
} from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { describeBackends } from '../../../../../tools/testing/backends';
import { randomHost, transposed } from '../testing/float64';
import { HELD_TYPES } from '../testing/held';
import { weightFormat } from './format';

const sizes = [
  { outputs: 37, inputs: 45, rows: 16 },
  { outputs: 21, inputs: 8, rows: 5 },
  { outputs: 8, inputs: 33, rows: 8 },
  { outputs: 1, inputs: 1, rows: 1 },
];

const STORED = ['float32', 'bfloat16', 'float16'] as const;

/** [outputs, inputs], as a file of that type has it. */
function stored(type: (typeof STORED)[number], { outputs, inputs }: (typeof sizes)[number]): WeightPiece {
  const { data } = randomHost([outputs * inputs], 7, 0.1);
  if (type === 'float32') return { type, values: data };
  return { type, values: Uint16Array.from(data, type === 'bfloat16' ? toBfloat16 : toFloat16) };
}

function* pieces({ type, values }: WeightPiece, count: number): Generator<WeightPiece> {
  for (let at = 0; at < values.length; at += count) {
    yield { type, values: values.subarray(at, at + count) } as WeightPiece;
  }
}

/** What a parameter counts as once it was written in pieces, whole rows each. */
async function written(
  parameter: Parameter,
  turned: boolean,
  file: WeightPiece,
  count: number,
): Promise<Float32Array> {
  const writer = parameter.writer({ turned });
  for (const piece of pieces(file, count)) writer.write(piece);
  writer.finish();
  const values = await parameter.read();
  parameter.dispose();
  return values;
}

/** A layer, whose file has the transposed matrix, or a table. */
async function parameterOf(
  kind: 'layer' | 'table',
  { outputs, inputs }: { outputs: number; inputs: number },
  type: (typeof HELD_TYPES)[number] | 'float32',
): Promise<Parameter> {
  const shape = kind === 'layer' ? [inputs, outputs] : [outputs, inputs];
  const parameter = new Parameter(shape, { initializer: zeros });
  await parameter.hold(weightFormat(type, kind === 'layer' ? 0 : 1));
  return parameter;
}

describeBackends('weights that come in pieces', () => {
  it.each(
    sizes.flatMap((size) =>
      STORED.flatMap((from) =>
        (['float32', ...HELD_TYPES] as const).map((type) => ({ ...size, from, type })),
      ),
    ),
  )('are what whole ones are: %o', async ({ from, type, ...size }) => {
    const { outputs, inputs, rows } = size;
    const file = stored(from, size);
    const values = widen(file);
    await expectNoLeak(async () => {
      for (const kind of ['layer', 'table'] as const) {
        const whole = await parameterOf(kind, size, type);
        whole.assign(kind === 'layer' ? Float32Array.from(transposed(values, outputs, inputs)) : values);
        const expected = await whole.read();
        whole.dispose();
        const parameter = await parameterOf(kind, size, type);
        expect(await written(parameter, kind === 'layer', file, rows * inputs)).toEqual(expected);
      }
    });
  });

  it.each(['bfloat16', 'float16'] as const)('keep every code of %s', async (type) => {
    const exponent = type === 'bfloat16' ? 0x7f80 : 0x7c00;
    const finite = Array.from({ length: 2 ** 16 }, (_, code) => code).filter(
      (code) => (code & exponent) !== exponent,
    );
    const values = Uint16Array.from(finite).subarray(0, finite.length - (finite.length % 64));
    const size = { outputs: values.length / 64, inputs: 64 };
    const read = await written(await parameterOf('layer', size, type), true, { type, values }, 24 * 64);
    const decode = type === 'bfloat16' ? fromBfloat16 : fromFloat16;
    const turned = transposed(Float32Array.from(values, decode), size.outputs, 64);
    // Small ones may count as zero on a GPU, and zero has one sign there.
    expect(read.map((value) => (Math.abs(value) < 2 ** -120 ? 0 : value))).toEqual(
      Float32Array.from(turned, (value) => (Math.abs(value) < 2 ** -120 ? 0 : value)),
    );
  });

  it('hold what comes in another order too', async () => {
    const size = { outputs: 6, inputs: 40, rows: 1 };
    const values = widen(stored('float32', size));
    for (const [kind, turned] of [
      ['layer', false],
      ['table', true],
    ] as const) {
      const whole = await parameterOf(kind, size, 'q8');
      const [rows, columns] = whole.shape as [number, number];
      whole.assign(turned ? Float32Array.from(transposed(values, columns, rows)) : values);
      const file: WeightPiece = { type: 'float32', values };
      const count = turned ? rows : columns;
      const parameter = await parameterOf(kind, size, 'q8');
      expect(await written(parameter, turned, file, count)).toEqual(await whole.read());
      whole.dispose();
    }
  });

  it.each([
    ['bfloat16', 0x7fc1, 'NaN'],
    ['bfloat16', 0xff80, '-Infinity'],
    ['float16', 0x7c00, 'Infinity'],
    ['float16', 0xfe00, 'NaN'],
  ] as const)('of %s refuse %i, and leave nothing', async (type, code, text) => {
    await expectNoLeak(async () => {
      for (const at of [0, 1, 62, 63, 64]) {
        const values = new Uint16Array(66).fill(1);
        values[1 + at] = code;
        const parameter = await parameterOf('table', { outputs: 2, inputs: 65 }, type);
        parameter.path = 'w';
        const writer = parameter.writer();
        writer.write({ type, values: new Uint16Array(65) });
        expect(() => writer.write({ type, values: values.subarray(1) })).toThrow(
          new WeightError({ component: 'w', expected: `values that ${type} can hold`, actual: text }),
        );
        writer.dispose();
        expect(parameter.ready).toBe(false);
      }
    });
  });
});

describe('weightFormat', () => {
  it('has no float32', () => expect(weightFormat('float32', 0)).toBeUndefined());
});
