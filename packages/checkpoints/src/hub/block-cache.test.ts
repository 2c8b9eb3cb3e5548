import { CheckpointError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../source';
import { memoryStorage } from '../storage/memory';
import { blockCache } from './block-cache';

const FILE = Uint8Array.from({ length: 1001 }, (_, index) => (index * 7) % 251);

/** A source that remembers what was read from it, and fails when told to. */
function watched(fail: (start: number) => boolean = () => false) {
  const inner = bufferSource(FILE, 'file');
  const log: string[] = [];
  const read = async (start: number, end: number) => {
    log.push(`${start}-${end}`);
    if (fail(start)) throw new Error('broke');
    return inner.read(start, end);
  };
  return { log, source: { ...inner, read } };
}

describe('blockCache', () => {
  it('reads any range as the source does, block by block, each once', async () => {
    const storage = memoryStorage();
    const { log, source } = watched();
    const cached = await blockCache(source, storage, 'x/y', 100);
    for (const [start, end] of [
      [0, 8],
      [8, 90],
      [95, 105],
      [250, 777],
      [999, 1001],
      [0, 1001],
      [5, 5],
      [1001, 1001],
    ] as const) {
      expect(await cached.read(start, end)).toEqual(FILE.subarray(start, end));
    }
    expect(new Set(log).size).toBe(log.length);
    expect(log.length).toBe(11);
    await expect(cached.read(0, 1002)).rejects.toThrow(CheckpointError);
  });

  it('is there in the next session, and goes on after a failure', async () => {
    const storage = memoryStorage();
    const first = watched((start) => start === 300);
    const broken = await blockCache(first.source, storage, 'x', 100);
    await expect(broken.read(0, 1001)).rejects.toThrow('broke');
    const second = watched();
    const cached = await blockCache(second.source, storage, 'x', 100);
    expect(await cached.read(0, 1001)).toEqual(FILE);
    expect(second.log).toEqual(
      [300, 400, 500, 600, 700, 800, 900, 1000].map((s) => `${s}-${Math.min(s + 100, 1001)}`),
    );
    const third = watched();
    const blocks = await blockCache(third.source, storage, 'x', 100);
    expect(await blocks.read(0, 1001)).toEqual(FILE);
    expect(third.log).toEqual([]);
  });

  it('does not take blocks of another size for its own', async () => {
    const storage = memoryStorage();
    await (await blockCache(watched().source, storage, 'x', 100)).read(0, 1001);
    const cached = await blockCache(watched().source, storage, 'x', 64);
    expect(await cached.read(0, 1001)).toEqual(FILE);
  });

  it('closes every block that it opened, also when told to stop', async () => {
    const storage = memoryStorage();
    await (await blockCache(watched().source, storage, 'x', 100)).read(0, 1001);
    const controller = new AbortController();
    let open = 0;
    const counting: typeof storage = {
      ...storage,
      async open(path, options) {
        const block = await storage.open(path, options);
        if (++open > 1) throw new Error('one was not closed');
        if (path.endsWith('-4')) controller.abort(new Error('enough'));
        return { ...block, close: async () => void open-- };
      },
    };
    const cached = await blockCache(watched().source, counting, 'x', 100);
    await expect(cached.read(0, 1001, { signal: controller.signal })).rejects.toThrow('enough');
    expect(open).toBe(0);
  });

  it('stops when told to, without keeping half a block', async () => {
    const storage = memoryStorage();
    const cached = await blockCache(watched().source, storage, 'x', 100);
    await expect(cached.read(0, 5, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    );
    expect(await storage.list()).toEqual([]);
    const [a, b] = await Promise.all([cached.read(0, 5), cached.read(5, 9)]);
    expect([...a!, ...b!]).toEqual([...FILE.subarray(0, 9)]);
  });
});
