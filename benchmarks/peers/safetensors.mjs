import { readFileSync } from 'node:fs';

const ARRAYS = { F32: Float32Array, I32: Int32Array };

/**
 * A safetensors file, whole in memory: `{ name: { shape, data } }`. Not that of our packages, which would bring their
 * tfjs into a peer's process.
 */
export function readSafetensors(path) {
  const { buffer, byteOffset } = readFileSync(path);
  const headerLength = Number(new DataView(buffer, byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, byteOffset + 8, headerLength)));
  delete header.__metadata__;
  const start = byteOffset + 8 + headerLength;
  const tensors = Object.entries(header).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [from, to],
      },
    ]) => {
      const data = new ARRAYS[dtype](buffer.slice(start + from, start + to));
      return [name, { shape, data }];
    },
  );
  return Object.fromEntries(tensors);
}

/** The first `count` rows of a tensor. */
export function firstRows({ shape, data }, count) {
  return { shape: [count, ...shape.slice(1)], data: data.subarray(0, (data.length / shape[0]) * count) };
}
