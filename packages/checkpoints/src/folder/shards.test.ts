import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../safetensors/dtype';
import { indexText, planShards } from './shards';

/** Made with huggingface_hub 2.4: sizes of tensors in bytes, and the numbers of those that come into each file. */
const CASES = [
  { sizes: [5], max: 7, total: 5, shards: [[0]] },
  { sizes: [8], max: 20, total: 8, shards: [[0]] },
  { sizes: [34], max: 64, total: 34, shards: [[0]] },
  { sizes: [0, 21], max: 7, total: 21, shards: [[1], [0]] },
  { sizes: [3, 0], max: 20, total: 3, shards: [[0, 1]] },
  { sizes: [2, 1], max: 64, total: 3, shards: [[0, 1]] },
  { sizes: [8, 21, 3, 13, 34], max: 7, total: 79, shards: [[0], [1], [3], [4], [2]] },
  { sizes: [1, 3, 0, 3, 13], max: 20, total: 20, shards: [[0, 1, 2, 3, 4]] },
  { sizes: [5, 2, 13, 2, 1], max: 64, total: 23, shards: [[0, 1, 2, 3, 4]] },
  { sizes: [2, 21, 2, 2, 0, 0, 3, 3, 2], max: 7, total: 35, shards: [[1], [0, 2, 3, 4, 5], [6, 7], [8]] },
  { sizes: [2, 5, 8, 3, 34, 3, 2, 3, 13], max: 20, total: 73, shards: [[4], [0, 1, 2, 3], [5, 6, 7], [8]] },
  { sizes: [5, 0, 8, 13, 2, 2, 5, 1, 8], max: 64, total: 44, shards: [[0, 1, 2, 3, 4, 5, 6, 7, 8]] },
  {
    sizes: [5, 0, 8, 1, 5, 8, 5, 21, 8, 2, 21, 21, 2, 0],
    max: 7,
    total: 107,
    shards: [[2], [0, 1, 3], [5], [4], [7], [8], [10], [11], [6, 9], [12, 13]],
  },
  {
    sizes: [5, 0, 8, 13, 0, 34, 13, 8, 13, 0, 21, 0, 2, 3],
    max: 20,
    total: 120,
    shards: [[0, 1, 2], [5], [3, 4], [6], [7], [10], [8, 9, 11, 12, 13]],
  },
  {
    sizes: [1, 3, 21, 8, 34, 8, 34, 5, 21, 1, 8, 5, 0, 13],
    max: 64,
    total: 162,
    shards: [
      [0, 1, 2, 3],
      [4, 5],
      [6, 7, 8, 9],
      [10, 11, 12, 13],
    ],
  },
];

const bytes = (size: number): TensorInfo => ({ dtype: 'U8', shape: [size] });

describe('planShards', () => {
  it.each(CASES)('spreads $sizes over files of $max bytes', ({ sizes, max, total, shards }) => {
    const plan = planShards(
      sizes.map((size, i) => [`t${i}`, bytes(size)] as const),
      max,
    );
    expect([...plan.files.values()].map((tensors) => tensors.map(([key]) => Number(key.slice(1))))).toEqual(
      shards,
    );
    expect(plan.totalSize).toBe(total);
    const count = `${shards.length}`.padStart(5, '0');
    const names = shards.map((_, i) => `model-${`${i + 1}`.padStart(5, '0')}-of-${count}.safetensors`);
    expect([...plan.files.keys()]).toEqual(shards.length === 1 ? ['model.safetensors'] : names);
  });

  it('writes one file for a model without parameters', () => {
    expect([...planShards([], 10).files]).toEqual([['model.safetensors', []]]);
  });

  it('counts bytes by type, and refuses a shape that has none', () => {
    const half: TensorInfo = { dtype: 'BF16', shape: [2, 3] };
    expect(
      planShards(
        [
          ['a', half],
          ['b', half],
        ],
        12,
      ).files.size,
    ).toBe(2);
    expect(() => planShards([['a', { dtype: 'F4', shape: [3] }]], 12)).toThrow(/whole bytes for "a"/);
  });

  it('makes an index of every tensor, whatever its name', () => {
    const plan = planShards(
      [
        ['__proto__', bytes(3)],
        ['b', bytes(3)],
      ],
      4,
    );
    expect(indexText(plan)).toBe(`{
  "metadata": {
    "total_size": 6
  },
  "weight_map": {
    "__proto__": "model-00001-of-00002.safetensors",
    "b": "model-00002-of-00002.safetensors"
  }
}
`);
  });
});
