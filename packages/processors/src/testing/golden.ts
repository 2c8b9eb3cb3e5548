import { readFileSync } from 'node:fs';

const cases = new URL('../../../../fixtures/cases/', import.meta.url);

/** A tensor of a golden file, on the host. */
export interface GoldenTensor {
  readonly shape: number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** A file of a golden case, `images-clip/base/0-90x60.png`. */
export function caseFile(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(path, cases)));
}

export function caseJson<T>(path: string): T {
  return JSON.parse(new TextDecoder().decode(caseFile(path)));
}

/** The tensors of `golden.safetensors` of a case. */
export function golden(name: string): Record<string, GoldenTensor> {
  const file = caseFile(`${name}/golden.safetensors`);
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const tensors: Record<string, GoldenTensor> = {};
  for (const [key, entry] of Object.entries<SafetensorsEntry>(header)) {
    if (key === '__metadata__') continue;
    const [begin, end] = entry.data_offsets;
    const bytes = file.slice(8 + length + begin, 8 + length + end);
    tensors[key] = { shape: entry.shape, data: arrays[entry.dtype](bytes) };
  }
  return tensors;
}

interface SafetensorsEntry {
  dtype: keyof typeof arrays;
  shape: number[];
  data_offsets: [number, number];
}

const arrays = {
  F32: (bytes: Uint8Array) => new Float32Array(bytes.buffer),
  I32: (bytes: Uint8Array) => new Int32Array(bytes.buffer),
  U8: (bytes: Uint8Array) => bytes,
};
