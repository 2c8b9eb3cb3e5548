import { startBackend } from '@mmllm/backends';
import { assertTensorsClose } from '@mmllm/conformance';
import { sequentialPositions } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { ropeFrequencies, ropeTables } from './rope-tables';

beforeAll(async () => {
  await startBackend({ backend: 'cpu' });
});

const LLAMA3 = {
  type: 'llama3',
  factor: 8,
  lowFreqFactor: 1,
  highFreqFactor: 4,
  originalMaxPositions: 8192,
} as const;

describe('ropeFrequencies', () => {
  it('falls from 1 by equal ratios', () => {
    const frequencies = ropeFrequencies({ dim: 8, theta: 10_000 });
    expect([...frequencies]).toEqual([1, 0.1, 0.01, 0.001].map((x) => expect.closeTo(x, 8)));
  });

  it('divides by the factor of linear scaling', () => {
    const frequencies = ropeFrequencies({ dim: 4, theta: 100, scaling: { type: 'linear', factor: 4 } });
    expect([...frequencies]).toEqual([0.25, 0.025].map((x) => expect.closeTo(x, 8)));
  });

  it('keeps high frequencies, divides low ones and joins them smoothly with Llama 3 scaling', () => {
    const plain = ropeFrequencies({ dim: 128, theta: 500_000 });
    const stretched = ropeFrequencies({ dim: 128, theta: 500_000, scaling: LLAMA3 });
    const ratios = [...stretched].map((frequency, i) => frequency / plain[i]!);
    for (const [i, ratio] of ratios.entries()) {
      const wavelength = (2 * Math.PI) / plain[i]!;
      if (wavelength < 8192 / 4) expect(ratio).toBe(1);
      else if (wavelength > 8192) expect(ratio).toBeCloseTo(1 / 8, 6);
      else expect(ratio).toBeLessThanOrEqual(ratios[i - 1]!);
    }
    // Computed by hand for the one at i = 32: wavelength 4442.9, (8192 / 4442.9 − 1) / 3 = 0.28129 kept.
    expect(ratios[32]).toBeCloseTo(0.28129 + (1 - 0.28129) / 8, 4);
  });

  it.each([0, -2, 5, Number.NaN])('refuses dim %f', (dim) => {
    expect(() => ropeFrequencies({ dim, theta: 10_000 })).toThrow('expected an even, positive dim');
  });
});

describe('ropeTables', () => {
  it('holds cosine and sine of position times frequency', async () => {
    const { cos, sin } = ropeTables(
      { data: Int32Array.of(0, 1, 2, 5, 6, 7), axes: 1, shape: [2, 3] },
      { dim: 4, theta: 100 },
    );
    const angles = [0, 1, 2, 5, 6, 7].flatMap((position) => [position, position * 0.1]);
    await assertTensorsClose(cos, { shape: [2, 3, 2], data: angles.map(Math.cos) }, { tolerance: 1e-6 });
    await assertTensorsClose(sin, { shape: [2, 3, 2], data: angles.map(Math.sin) }, { tolerance: 1e-6 });
    tf.dispose([cos, sin]);
  });

  it('has one row when all samples have the same positions', () => {
    const { cos, sin } = ropeTables(sequentialPositions([3, 4]), { dim: 2, theta: 100 });
    expect(cos.shape).toEqual([1, 4, 1]);
    tf.dispose([cos, sin]);
    const other = ropeTables(sequentialPositions([3, 4], Int32Array.of(0, 0, 1)), { dim: 2, theta: 100 });
    expect(other.cos.shape).toEqual([3, 4, 1]);
    tf.dispose([other.cos, other.sin]);
  });

  it('turns each section by its axis', async () => {
    const positions = { data: Int32Array.of(3, 5, 7), axes: 3, shape: [1, 1] } as const;
    const { cos, sin } = ropeTables(positions, { dim: 8, theta: 10_000, sections: [1, 1, 2] });
    const angles = [3, 5 * 0.1, 7 * 0.01, 7 * 0.001];
    await assertTensorsClose(cos, { shape: [1, 1, 4], data: angles.map(Math.cos) }, { tolerance: 1e-6 });
    await assertTensorsClose(sin, { shape: [1, 1, 4], data: angles.map(Math.sin) }, { tolerance: 1e-6 });
    tf.dispose([cos, sin]);
  });

  it.each([undefined, [2, 2], [1, 1, 1], [1, 1, 1, 1]])('refuses sections %o for three axes', (sections) => {
    const positions = { data: new Int32Array(3), axes: 3, shape: [1, 1] } as const;
    expect(() => ropeTables(positions, { dim: 8, theta: 10_000, sections })).toThrow(
      'ropeTables: expected 3 sections that add up to 4',
    );
  });
});
