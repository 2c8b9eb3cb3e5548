import * as tf from '@tensorflow/tfjs-core';

/** Where a WebAssembly module's sections begin: behind `\0asm` and the version. */
const FIRST_SECTION = 8;
const MEMORY_SECTION = 5;
/** Flags of a memory: 1 with a maximum, 3 also shared between threads. */
const [BOUNDED, SHARED] = [1, 3];

/** True where memory can be shared with worker threads: in Node, and in pages that are cross-origin isolated. */
export const canShareMemory = (): boolean =>
  typeof SharedArrayBuffer !== 'undefined' && (tf.env().getBool('IS_NODE') || globalThis.crossOriginIsolated);

const addresses = new Map<string | undefined, Promise<string>>();

/**
 * The address of tfjs's SIMD binary with its memory declared as shared: one flag is all that tells it from the stock
 * binary, and tfjs's kernels stay on the main thread. tfjs's own threaded build is left aside, since its threads only
 * speed up products that are ours here, and since it does not start in Node.
 *
 * @param url of the stock binary; in Node the package's own is read.
 * @throws {Error} if the binary cannot be read, is not as expected, or may not be fetched from a blob here.
 */
export function sharedBinary(url: string | undefined): Promise<string> {
  const known = addresses.get(url);
  if (known) return known;
  const address = publish(url);
  addresses.set(url, address);
  // What failed once, such as a download, may be tried again.
  address.catch(() => addresses.delete(url));
  return address;
}

async function publish(url: string | undefined): Promise<string> {
  const bytes = declareShared(await (url ? download(url) : readFromPackage()));
  const made = URL.createObjectURL(new Blob([bytes], { type: 'application/wasm' }));
  // A page's policy may forbid it; tfjs would wait for ever then.
  await fetch(made);
  return made;
}

async function download(url: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url, { credentials: 'same-origin' });
  if (!response.ok) throw new Error(`${url}: status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function readFromPackage(): Promise<Uint8Array<ArrayBuffer>> {
  const { createRequire } = process.getBuiltinModule('node:module');
  const { readFile } = process.getBuiltinModule('node:fs/promises');
  const { resolve } = createRequire(import.meta.url);
  const path = resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm');
  return new Uint8Array(await readFile(path));
}

/** Sets the flag of the one memory that the module defines. */
export function declareShared(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  let at = FIRST_SECTION;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const section = bytes[at++];
    const size = number();
    // One memory, then its flags.
    if (section === MEMORY_SECTION && bytes[at] === 1 && bytes[at + 1] === BOUNDED) {
      const changed = bytes.slice();
      changed[at + 1] = SHARED;
      return changed;
    }
    at += size;
  }
  throw new Error('the binary has no bounded memory of its own');
}
