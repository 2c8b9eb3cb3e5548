/** For tests: the files below fixtures/gguf, and headers made by hand. Not exported from the package. */
import { readFileSync } from 'node:fs';

const FIXTURES = new URL('../../../../fixtures/gguf/', import.meta.url);

/** A file below fixtures/gguf, in memory of its own. */
export const readFixture = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(name, FIXTURES)));

/** Bytes of the pieces behind each other: texts with their length before them, numbers as UINT32, bigints as UINT64. */
export function pack(...pieces: readonly (string | number | bigint | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const parts = pieces.map((piece): Uint8Array => {
    if (piece instanceof Uint8Array) return piece;
    if (typeof piece === 'number') return new Uint8Array(Uint32Array.of(piece).buffer);
    if (typeof piece === 'bigint') return new Uint8Array(BigUint64Array.of(piece).buffer);
    const text = new TextEncoder().encode(piece);
    return pack(BigInt(text.length), text);
  });
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let position = 0;
  for (const part of parts) {
    bytes.set(part, position);
    position += part.length;
  }
  return bytes;
}

/** The numbers by which a file names types of metadata. */
export const TYPE = { UINT8: 0, UINT32: 4, STRING: 8, ARRAY: 9 } as const;

export interface RawFile {
  version?: number;
  tensors?: readonly Uint8Array[];
  entries?: readonly Uint8Array[];
  /** Bytes behind the header and its padding. */
  data?: number;
}

/** A file from packed entries (`key, type, value`) and tensors (`name, axes, sizes…, type, offset`). */
export function rawGguf({
  version = 3,
  tensors = [],
  entries = [],
  data = 0,
}: RawFile): Uint8Array<ArrayBuffer> {
  const counts = [BigInt(tensors.length), BigInt(entries.length)];
  const header = pack(new TextEncoder().encode('GGUF'), version, ...counts, ...entries, ...tensors);
  const file = new Uint8Array(Math.ceil(header.length / 32) * 32 + data);
  file.set(header);
  return file;
}
