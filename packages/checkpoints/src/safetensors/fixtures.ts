/** For tests: the golden cases, and small files made by hand. Not exported from the package. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const CASES = new URL('../../../../fixtures/cases/', import.meta.url);

export const casePath = (name: string): string => fileURLToPath(new URL(name, CASES));

/** A file below fixtures/cases, in memory of its own. */
export const readCase = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(casePath(name)));

/** Every safetensors file among the cases that this package's tests use; all were written by the reference library. */
export const CASE_FILES = [
  'patch-linear/p16-48px/golden.safetensors',
  'decoder-llama/base/golden.safetensors',
  'decoder-llama/base/model/model.safetensors',
  'clip/quick-gelu/model/model.safetensors',
  'clip/open-clip-gelu/model/model.safetensors',
  'siglip/base/model/model.safetensors',
  'vit/h14-layout/model/model.safetensors',
] as const;

/** A file from the text or the bytes of its header and the length of its data, which are 0, 1, 2, …. */
export function rawFile(header: string | Uint8Array, dataLength: number): Uint8Array<ArrayBuffer> {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + json.byteLength + dataLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  file.set(json, 8);
  for (let index = 0; index < dataLength; index++) file[8 + json.byteLength + index] = index;
  return file;
}
