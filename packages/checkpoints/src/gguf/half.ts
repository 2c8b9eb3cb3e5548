import { float16ToFloat32 } from '../safetensors/floats';

/** Turns the block that begins at byte `start` into values from `at` on. */
export type Unpack = (bytes: Uint8Array, start: number, values: Float32Array, at: number) => void;

let table: Float32Array | undefined;

/** The float16 at byte `at`. */
export function half(bytes: Uint8Array, at: number): number {
  table ??= float16ToFloat32(Uint16Array.from({ length: 1 << 16 }, (_, code) => code));
  return table[bytes[at]! | (bytes[at + 1]! << 8)]!;
}
