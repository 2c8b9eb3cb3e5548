import { expectNoLeak } from '@mmllm/conformance';
import { type GroupedPiece, Parameter, WeightError, widen, zeros } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../../tools/testing/backends';
import { matmul } from '../matmul';
import { transposed } from '../testing/float64';
import { weightFormat } from './format';
import { heldLinear } from './linear';

const [OUTPUTS, INPUTS] = [21, 96];

/** Scales of float16 of either sign, and every code but −128. */
const TYPES = ['q8', 'q4', 'q4_1'] as const;

function grouped(type: (typeof TYPES)[number]): GroupedPiece {
  const count = OUTPUTS * INPUTS;
  const scales = Float32Array.from(
    { length: count / 32 },
    (_, i) => (i % 2 ? -1 : 1) * (1 + (i % 13) / 1024),
  );
  const nibbles = () => Uint8Array.from({ length: count }, (_, i) => (i * i * 7 + (i >> 3)) % 16);
  if (type === 'q4') return { type, values: nibbles(), scales };
  if (type === 'q4_1') {
    return { type, values: nibbles(), scales, minimums: scales.map((scale, i) => ((i % 5) - 3) * scale) };
  }
  return { type, values: Int8Array.from({ length: count }, (_, i) => ((i * 37) % 255) - 127), scales };
}

const rowsOf = (
  { type, values, scales, minimums }: GroupedPiece & { minimums?: Float32Array },
  from: number,
  to: number,
) =>
  ({
    type,
    values: values.subarray(from * INPUTS, to * INPUTS),
    scales: scales.subarray((from * INPUTS) / 32, (to * INPUTS) / 32),
    minimums: minimums?.subarray((from * INPUTS) / 32, (to * INPUTS) / 32),
  }) as GroupedPiece;

/** A layer that took a file's rows in two pieces. */
function layer(held: 'float32' | GroupedPiece['type'], piece: GroupedPiece): Parameter {
  const parameter = new Parameter([INPUTS, OUTPUTS], { initializer: zeros });
  parameter.hold(weightFormat(held, 0));
  const writer = parameter.writer({ turned: true });
  for (const [from, to] of [
    [0, 16],
    [16, OUTPUTS],
  ] as const)
    writer.write(rowsOf(piece, from, to));
  writer.finish();
  return parameter;
}

describeBackends('groups of a file', () => {
  it.each(TYPES)('of %s are taken over to the bit', async (type) => {
    await expectNoLeak(async () => {
      const piece = grouped(type);
      const expected = Float32Array.from(transposed(widen(piece), OUTPUTS, INPUTS));
      for (const held of [type, 'float32'] as const) {
        const parameter = layer(held, piece);
        // Zero has one sign on a GPU.
        expect((await parameter.read()).map((value) => value || 0)).toEqual(
          expected.map((value) => value || 0),
        );
        parameter.dispose();
      }
    });
  });

  it.each(TYPES)('of %s multiply as their float32 values', async (type) => {
    const [held, plain] = [layer(type, grouped(type)), layer('float32', grouped(type))];
    const x = tf.tensor2d(
      Float32Array.from({ length: 3 * INPUTS }, (_, i) => Math.sin(i * i) / 100),
      [3, INPUTS],
    );
    const [actual, expected] = [heldLinear(x, held.held!), matmul(x, plain.value as tf.Tensor2D)];
    const [a, b] = [await actual.data(), await expected.data()];
    const largest = Math.max(...b.map(Math.abs));
    // On wasm the products round x to 8 bits too.
    const tolerance = (tf.getBackend() === 'wasm' ? 1e-2 : 1e-4) * largest;
    expect(largest).toBeGreaterThan(0.01);
    for (let i = 0; i < b.length; i++) expect(Math.abs(a[i]! - b[i]!)).toBeLessThan(tolerance);
    tf.dispose([x, actual, expected]);
    for (const parameter of [held, plain]) parameter.dispose();
  });

  it('with the code −128 are rounded anew', async () => {
    const piece = grouped('q8');
    piece.values[40] = -128;
    const parameter = layer('q8', piece);
    const values = await parameter.read();
    expect(Math.abs(values[40 * OUTPUTS]! / widen(piece)[40]! - 1)).toBeLessThan(1e-4);
    parameter.dispose();
  });

  it.each([Number.NaN, -Infinity])('refuse a scale or a minimum of %d', (value) => {
    for (const part of ['scales', 'minimums'] as const) {
      const piece = grouped('q4_1') as Extract<GroupedPiece, { type: 'q4_1' }>;
      piece[part][3] = value;
      expect(() => layer('q4_1', piece)).toThrow(WeightError);
    }
  });
});
