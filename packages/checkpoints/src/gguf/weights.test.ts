import { widen } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../source';
import { hostModule } from '../weights/host-module';
import { loadWeights } from '../weights/load';
import type { NameRule } from '../weights/name-map';
import type { WeightSource } from '../weights/source';
import { dequantize } from './dequantize';
import { openGguf } from './file';
import { readFixture } from './fixtures';
import { GGUF_TYPES } from './types';
import { ggufTypes, ggufWeights } from './weights';

const bits = (values: Float32Array) => new Uint32Array(values.slice().buffer);

const HELD: Record<string, string> = {
  ...{ F16: 'float16', BF16: 'bfloat16' },
  ...{ Q8_0: 'q8', Q4_0: 'q4', Q4_1: 'q4_1' },
};

describe('ggufWeights', async () => {
  const file = await openGguf(bufferSource(readFixture('types.gguf'), 'types.gguf'));
  const source = ggufWeights(file);

  it.each(GGUF_TYPES)('gives rows of %s as stored, with the bits that ggml gives', async (type) => {
    const all = dequantize(await file.read(type));
    for (const [start, end] of [
      [0, 3],
      [1, 2],
      [2, 3],
    ] as const) {
      const piece = await source.readRows(type, start, end, { into: new Uint8Array(8192) });
      expect(piece.type).toBe(HELD[type] ?? 'float32');
      expect(bits(widen(piece))).toEqual(bits(all.subarray(start * 1024, end * 1024)));
    }
    await expect(source.readRows(type, 2, 4)).rejects.toThrow('a byte range within');
  });

  it.each(['Q8_0', 'Q4_0', 'Q4_1'] as const)(
    'moves rows and picks columns of %s with their scales',
    async (type) => {
      const matrix: WeightSource = {
        name: 'matrix',
        keys: () => ['w'],
        shape: () => [6, 512],
        read: async () => dequantize(await file.read(type)),
      };
      const grouped = { ...matrix, readRows: () => source.readRows(type, 0, 3) };
      for (const [rules, shapes] of [
        [[{ ours: 'a', theirs: 'w', layout: 'linear', interleavedHeads: 1 }], { a: [512, 6] }],
        [[{ ours: 'a', theirs: 'w', interleavedHeads: 3 }], { a: [6, 512] }],
        [
          [
            { ours: 'a', theirs: 'w', columns: [0, 100] },
            { ours: 'b', theirs: 'w', columns: [100, 512] },
          ],
          { a: [6, 100], b: [6, 412] },
        ],
      ] as [NameRule[], Record<string, number[]>][]) {
        const [actual, expected] = [hostModule(shapes), hostModule(shapes)];
        await loadWeights(actual, grouped, { rules });
        await loadWeights(expected, matrix, { rules });
        for (const path of Object.keys(shapes))
          expect(bits(await actual.parameter(path).read())).toEqual(
            bits(await expected.parameter(path).read()),
          );
      }
    },
  );

  it('tells as what each parameter can be held', () => {
    const names = GGUF_TYPES.map((type): NameRule => ({ ours: `weights.${type}`, theirs: type }));
    const rows: NameRule[] = ['Q8_0', 'Q4_1'].map((theirs, i) => ({
      ours: 'mixed',
      theirs,
      ourRows: [3 * i, 3 * i + 3],
    }));
    const typeOf = ggufTypes(file, { rules: [...names, ...rows, { ours: 'absent', theirs: 'none' }] });
    for (const type of GGUF_TYPES) expect(typeOf(`weights.${type}`)).toBe(HELD[type] ?? 'float32');
    expect(['mixed', 'absent', 'unknown'].map(typeOf)).toEqual(['float32', 'float32', 'float32']);
  });
});
