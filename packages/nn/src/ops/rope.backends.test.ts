import { assertTensorsClose } from '@mmllm/conformance';
import { sequentialPositions } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { rope } from './rope';
import { ropeTables } from './rope-tables';
import { againstFloat64, type Host, randomHost, read } from './testing/float64';

interface Case {
  /** B, T, H, d */
  sizes: [number, number, number, number];
  rotaryDim?: number;
  interleaved?: boolean;
  tableBatch: number;
}

const cases: Case[] = [
  { sizes: [2, 3, 2, 4], tableBatch: 1 },
  { sizes: [2, 3, 1, 6], tableBatch: 2, interleaved: true },
  { sizes: [1, 1, 3, 2], tableBatch: 1 },
  { sizes: [2, 2, 2, 7], rotaryDim: 4, tableBatch: 2 },
  { sizes: [1, 3, 2, 6], rotaryDim: 2, interleaved: true, tableBatch: 1 },
];

/** The angle of every pair, and its tables. */
function tables(shape: [number, number, number]): {
  angles: Float32Array;
  cos: tf.Tensor3D;
  sin: tf.Tensor3D;
} {
  const angles = randomHost(shape, 7, 3).data;
  return {
    angles,
    cos: tf.tensor3d(angles.map(Math.cos), shape),
    sin: tf.tensor3d(angles.map(Math.sin), shape),
  };
}

describeBackends('rope', () => {
  it.each(cases)(
    'turns pairs, with its gradient: %o',
    async ({ sizes, rotaryDim, interleaved, tableBatch }) => {
      const [B, T, H, d] = sizes;
      const half = (rotaryDim ?? d) / 2;
      const { angles, cos, sin } = tables([tableBatch, T, half]);
      const pairs = await againstFloat64(
        (x) => rope(x as tf.Tensor3D, cos, sin, { numHeads: H, rotaryDim, interleaved }),
        (x) => {
          const out = Float64Array.from(x!);
          for (let row = 0; row < B * T; row++) {
            for (let h = 0; h < H; h++) {
              for (let pair = 0; pair < half; pair++) {
                const first = (row * H + h) * d + (interleaved ? 2 * pair : pair);
                const second = first + (interleaved ? 1 : half);
                const angle = angles[(row % (tableBatch * T)) * half + pair]!;
                out[first] = x![first]! * Math.cos(angle) - x![second]! * Math.sin(angle);
                out[second] = x![second]! * Math.cos(angle) + x![first]! * Math.sin(angle);
              }
            }
          }
          return { shape: [B, T, H * d], data: out };
        },
        [randomHost([B, T, H * d], 1)],
      );
      for (const { actual, expected, name } of pairs) {
        await assertTensorsClose(actual, expected, { tolerance: 1e-6, name });
      }
      tf.dispose([cos, sin]);
    },
  );

  it('makes scores depend on the distance of positions only', async () => {
    const dim = 8;
    const [q, k] = [randomHost([1, 1, dim], 1), randomHost([1, 1, dim], 2)];
    const score = async (queryAt: number, keyAt: number) => {
      const turn = ({ data }: Host, position: number) => {
        const { cos, sin } = ropeTables(
          { data: Int32Array.of(position), axes: 1, shape: [1, 1] },
          { dim, theta: 10_000 },
        );
        return rope(tf.tensor3d(data, [1, 1, dim]), cos, sin, { numHeads: 1 });
      };
      const sum = tf.tidy(() => tf.sum(tf.mul(turn(q, queryAt), turn(k, keyAt))));
      const [value] = (await read(sum)).data;
      sum.dispose();
      return value!;
    };
    const near = await score(3, 1);
    expect(await score(103, 101)).toBeCloseTo(near, 4);
    expect(Math.abs((await score(103, 1)) - near)).toBeGreaterThan(1e-2);
  });

  it('leaves position 0 as it is', async () => {
    const { cos, sin } = ropeTables(sequentialPositions([1, 1]), { dim: 4, theta: 10_000 });
    const x = randomHost([1, 1, 4], 1);
    const out = tf.tidy(() => rope(tf.tensor3d(x.data, [1, 1, 4]), cos, sin, { numHeads: 1 }));
    await assertTensorsClose(out, x, { tolerance: 0 });
    tf.dispose([out, cos, sin]);
  });
});
