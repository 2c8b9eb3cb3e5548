import { expect, it } from 'vitest';
import { tryMutations } from '../../../../tools/testing/mutations';
import { recording } from '../testing/recording';
import { openSafetensors } from './file';
import { readCase } from './fixtures';
import { mutate } from './mutate';

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

const NAMES = [
  'patch-linear/p16-48px/golden.safetensors',
  'decoder-llama/base/model/model.safetensors',
] as const;

/** Opens a file and reads all that is in it. */
async function readAll(bytes: Uint8Array): Promise<undefined> {
  const source = recording(bytes, 'mutated');
  const file = await openSafetensors(source);
  expectFaithful(bytes, file.tensors);
  for (const [name, { start, end }] of file.tensors) {
    expect((await file.read(name)).data.byteLength).toBe(end - start);
  }
  expect(source.asked).toBeLessThanOrEqual(bytes.length);
}

it('damaged files are refused with a typed error or read right', { timeout: 300_000 }, async () => {
  const files = NAMES.map(readCase);
  const outcomes = await tryMutations(600, {
    originals: Object.fromEntries(NAMES.map((name, i) => [name, () => readAll(files[i]!)])),
    originalOf: (seed) => NAMES[seed % 2]!,
    attempt: (seed) => readAll(mutate(files[seed % 2]!, seed)),
  });
  // The generator must reach both outcomes, or it shows nothing.
  expect(outcomes.refused).toBeGreaterThan(300);
  expect(outcomes.read).toBeGreaterThan(20);
});
