/** What loading can at best be: the file is read, and its bytes are copied once. */
import { readFile } from 'node:fs/promises';
import { pathOfFile } from '../src/load-file.ts';

/** Reads the file, and has it in memory. */
export const open = async (work) => reader(work, (bytes) => bytes);

/** Reads the file and copies it, as into the memory of a backend. */
export const openCopying = async (work) =>
  reader(work, (bytes) => {
    const copy = new Uint8Array(bytes.byteLength);
    copy.set(bytes);
    return copy;
  });

const reader = ({ stored }, use) => ({
  async run() {
    const bytes = use(await readFile(pathOfFile(stored)));
    return { values: () => diagonals(bytes) };
  },
});

const valueAt = {
  F32: (view, at) => view.getFloat32(4 * at, true),
  BF16: (view, at) => new Float32Array(Uint32Array.of(view.getUint16(2 * at, true) << 16).buffer)[0],
};

/** The first values of each tensor's diagonal, in the order of their names. */
function diagonals({ buffer, byteOffset }) {
  const length = Number(new DataView(buffer, byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, byteOffset + 8, length)));
  return Object.keys(header)
    .sort()
    .flatMap((key) => {
      const { dtype, shape, data_offsets } = header[key];
      const view = new DataView(buffer, byteOffset + 8 + length + data_offsets[0]);
      const [rows, columns = 0] = shape;
      return Array.from({ length: Math.min(rows, columns || rows) }, (_, i) =>
        valueAt[dtype](view, i * (columns + 1)),
      );
    });
}
