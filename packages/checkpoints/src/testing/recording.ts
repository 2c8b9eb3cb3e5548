import { expect } from 'vitest';
import type { ByteSource } from '../source';

/** A source that records how many bytes were asked of it, all of them its own. */
export function recording(bytes: Uint8Array, name: string): ByteSource & { asked: number } {
  const source = {
    name,
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
