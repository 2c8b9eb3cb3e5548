import { CheckpointError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import type { ByteSource } from '../source';
import { openSafetensors } from './file';
import { readCase } from './fixtures';
import { mutate } from './mutate';

/** A source that records how much was asked of it. */
function recording(bytes: Uint8Array): ByteSource & { asked: number } {
  const source = {
    name: 'mutated',
    size: bytes.length,
    asked: 0,
    async read(start: number, end: number) {
      expect(0 <= start && start <= end && end <= bytes.length).toBe(true);
      source.asked += end - start;
      return bytes.subarray(start, end);
    },
  };
  return source;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

const WIDTHS: Record<string, number> = {
  F4: 0.5,
  BOOL: 1,
  U8: 1,
  I8: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
};

/** What the plain JSON parser reads, checked by adding up. */
function expectFaithful(
  bytes: Uint8Array,
  tensors: ReadonlyMap<string, { dtype: string; shape: readonly number[]; start: number; end: number }>,
) {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const { __metadata__, ...entries } = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + length)),
  ) as Record<string, Entry>;
  expect(new Set(tensors.keys())).toEqual(new Set(Object.keys(entries)));
  let total = 0;
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries)) {
    const size = shape.reduce((product, size) => product * size, WIDTHS[dtype]!);
    const start = 8 + length + data_offsets[0];
    expect(tensors.get(name)).toEqual({ dtype, shape, start, end: start + size });
    expect(data_offsets[1]).toBe(data_offsets[0] + size);
    total += size;
  }
  expect(total).toBe(bytes.length - 8 - length);
}

describe('damaged files', () => {
  const originals = [
    'patch-linear/p16-48px/golden.safetensors',
    'decoder-llama/base/model/model.safetensors',
  ].map(readCase);

  it('are refused with a typed error or read right, and nothing outside them is read', async () => {
    const outcomes = { refused: 0, read: 0 };
    for (let seed = 0; seed < 600; seed++) {
      const bytes = mutate(originals[seed % 2]!, seed);
      const source = recording(bytes);
      try {
        const file = await openSafetensors(source);
        expectFaithful(bytes, file.tensors);
        for (const [name, { start, end }] of file.tensors) {
          expect((await file.read(name)).data.byteLength).toBe(end - start);
        }
        outcomes.read++;
      } catch (error) {
        if (!CheckpointError.isInstance(error)) throw new Error(`seed ${seed}`, { cause: error });
        expect(error.message.length).toBeLessThan(500);
        outcomes.refused++;
      }
      expect(source.asked).toBeLessThanOrEqual(bytes.length);
    }
    // The generator must reach both outcomes, or it shows nothing.
    expect(outcomes.refused).toBeGreaterThan(300);
    expect(outcomes.read).toBeGreaterThan(20);
  });
});
