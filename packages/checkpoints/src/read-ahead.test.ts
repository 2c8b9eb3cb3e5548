import { CheckpointError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { readAhead } from './read-ahead';
import { bufferSource } from './source';

const FILE = Uint8Array.from({ length: 1001 }, (_, index) => (index * 7) % 251);

/** A source that remembers what was read from it. */
function watched() {
  const inner = bufferSource(FILE, 'file');
  const log: string[] = [];
  const read = async (start: number, end: number) => {
    log.push(`${start}-${end}`);
    return inner.read(start, end);
  };
  return { log, source: { ...inner, read } };
}

describe('readAhead', () => {
  it('fetches every byte once for whoever reads from front to back', async () => {
    const { log, source } = watched();
    const ahead = readAhead(source, 100);
    const cuts = [0, 8, 60, 260, 270, 290, 800, 801, 1001];
    for (const [i, end] of cuts.slice(1).entries()) {
      expect(await ahead.read(cuts[i]!, end)).toEqual(FILE.subarray(cuts[i], end));
    }
    expect(log).toEqual(['0-100', '100-260', '260-360', '360-800', '800-900', '900-1001']);
  });

  it('reads any range, also backwards, empty and with a known beginning', async () => {
    const { log, source } = watched();
    const ahead = readAhead(source, 100, FILE.slice(0, 50));
    for (const [start, end] of [
      [10, 50],
      [40, 70],
      [900, 1001],
      [0, 1001],
      [5, 5],
      [1001, 1001],
      [300, 310],
      [299, 301],
    ] as const) {
      expect(await ahead.read(start, end)).toEqual(FILE.subarray(start, end));
    }
    expect(log.slice(0, 2)).toEqual(['50-150', '900-1001']);
    await expect(ahead.read(0, 1002)).rejects.toThrow(CheckpointError);
  });
});
