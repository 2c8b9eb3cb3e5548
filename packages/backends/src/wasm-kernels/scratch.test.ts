import { expect, it } from 'vitest';
import { withScratch } from './scratch';

/** A heap that counts, without any memory in it. */
function countingHeap(capacity = Number.POSITIVE_INFINITY) {
  const live = new Map<number, number>();
  let next = 8;
  return {
    memory: new WebAssembly.Memory({ initial: 0 }),
    malloc(bytes: number) {
      if (bytes > capacity) return 0;
      live.set(next, bytes);
      return next++;
    },
    free: (address: number) => void live.delete(address),
    live,
  };
}

it('lends one block, which only grows', () => {
  const heap = countingHeap();
  const seen: number[] = [];
  for (const bytes of [100, 1, 5_000, 65_536]) withScratch('x', heap, bytes, (address) => seen.push(address));
  expect(new Set(seen).size).toBe(1);
  expect([...heap.live.values()]).toEqual([65_536]);
  withScratch('x', heap, 65_537, (address) => expect(address).not.toBe(seen[0]));
  expect([...heap.live.values()]).toEqual([131_072]);
});

it('lends a second block within the first, and takes it back, also after an error', () => {
  const heap = countingHeap();
  const fail = () =>
    withScratch('x', heap, 8, (outer) => {
      withScratch('x', heap, 8, (inner) => {
        expect(inner).not.toBe(outer);
        expect(heap.live.size).toBe(2);
        throw new Error('no');
      });
    });
  expect(fail).toThrow('no');
  expect(fail).toThrow('no');
  expect(heap.live.size).toBe(1);
});

it('keeps nothing of a request that the memory has no room for, and serves the next', () => {
  const heap = countingHeap(100_000);
  withScratch('x', heap, 8, () => {});
  expect(() => withScratch('mmllm/X on wasm', heap, 200_000, () => {})).toThrow(
    'mmllm/X on wasm: expected 262144 bytes of scratch memory, got the memory is full',
  );
  expect(heap.live.size).toBe(0);
  withScratch('x', heap, 8, (address) => expect(address).not.toBe(0));
});
