import { expect, it } from 'vitest';
import { tryMutations } from '../../../../tools/testing/mutations';
import { bufferSource } from '../source';
import { recording } from '../testing/recording';
import { dequantize } from './dequantize';
import { openGguf } from './file';
import { readFixture } from './fixtures';
import { type GgufOriginal, mutateGguf } from './mutate';
import { ggufTokenizer } from './tokenizer';

const NAMES = ['types.gguf', 'llama-tied.gguf'] as const;

async function original(name: string): Promise<GgufOriginal> {
  const bytes = readFixture(name);
  const { metadata, tensors } = await openGguf(bufferSource(bytes));
  const headerEnd = Math.min(...[...tensors.values()].map(({ start }) => start));
  return { bytes, names: [...metadata.keys(), ...tensors.keys()], headerEnd };
}

interface NaiveTensor {
  name: string;
  sizes: number[];
  offset: number;
}

/** What a reader that trusts the file finds: the keys, and the tensors with their place behind the header. */
function trustingly(bytes: Uint8Array): { keys: string[]; tensors: NaiveTensor[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let at = 8;
  const take = (length: number) => {
    at += length;
    return at - length;
  };
  const u32 = () => view.getUint32(take(4), true);
  const u64 = () => Number(view.getBigUint64(take(8), true));
  const text = () => {
    const start = take(u64());
    return new TextDecoder().decode(bytes.subarray(start, at));
  };
  const skip = (type: number): void => {
    if (type === 8) text();
    else if (type === 9) {
      const item = u32();
      for (let length = u64(); length > 0; length--) skip(item);
    } else take([1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8][type]!);
  };
  const [tensorCount, entryCount] = [u64(), u64()];
  const keys = Array.from({ length: entryCount }, () => {
    const key = text();
    skip(u32());
    return key;
  });
  const tensors = Array.from({ length: tensorCount }, () => {
    const name = text();
    const sizes = Array.from({ length: u32() }, u64).reverse();
    u32();
    return { name, sizes, offset: u64() };
  });
  return { keys, tensors };
}

/** Opens a file and reads all that is in it. */
async function readAll(bytes: Uint8Array): Promise<undefined> {
  const source = recording(bytes, 'mutated');
  const file = await openGguf(source);
  const naive = trustingly(bytes);
  expect([...file.metadata.keys()]).toEqual(naive.keys);
  expect([...file.tensors.keys()]).toEqual(naive.tensors.map(({ name }) => name));
  let end = 0;
  const [first] = file.tensors.values();
  for (const { name, sizes, offset } of naive.tensors) {
    const span = file.span(name);
    expect(span.shape).toEqual(sizes);
    expect(span.start - first!.start).toBe(offset);
    expect(span.start).toBeGreaterThanOrEqual(end);
    end = span.end;
    const values = dequantize(await file.read(name));
    expect(values.length).toBe(sizes.reduce((product, size) => product * size, 1));
  }
  ggufTokenizer(file);
  expect(source.asked).toBeLessThanOrEqual(2 * bytes.length);
}

it('damaged GGUF files are refused with a typed error or read right', { timeout: 300_000 }, async () => {
  const files = await Promise.all(NAMES.map(original));
  const outcomes = await tryMutations(600, {
    originals: Object.fromEntries(NAMES.map((name, i) => [name, () => readAll(files[i]!.bytes)])),
    originalOf: (seed) => NAMES[(seed >> 1) % 2]!,
    attempt: (seed) => readAll(mutateGguf(files[(seed >> 1) % 2]!, seed)),
  });
  // The generator must reach both outcomes, or it shows nothing.
  expect(outcomes.refused).toBeGreaterThan(300);
  expect(outcomes.read).toBeGreaterThan(20);
});
