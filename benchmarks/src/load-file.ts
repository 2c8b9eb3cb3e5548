/** The files whose loading is measured: a decoder of random weights that take 350 MB as stored. */
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { type LazyTensor, streamSafetensors, toTheirs } from '@mmllm/checkpoints';
import { llama } from '@mmllm/decoders/llama';

/** What the file's numbers are. */
export type StoredType = 'F32' | 'BF16';

/** Layers for 350 MB. */
const LAYERS: Record<StoredType, number> = { F32: 12, BF16: 26 };

/** A decoder without weights. */
export const emptyDecoder = (stored: StoredType) =>
  llama({
    vocabSize: 16_000,
    hiddenSize: 768,
    numLayers: LAYERS[stored],
    numHeads: 12,
    intermediateSize: 1728,
    maxLength: 512,
    rmsNormEps: 1e-5,
    tieWordEmbeddings: true,
  });

export const pathOfFile = (stored: StoredType): string =>
  fileURLToPath(new URL(`../.cache/load/${stored}.safetensors`, import.meta.url));

/** Writes a file, unless it is there. */
export async function makeFile(stored: StoredType): Promise<void> {
  const path = pathOfFile(stored);
  if (existsSync(path)) return;
  console.error(`making ${path} …`);
  await mkdir(dirname(path), { recursive: true });
  await pipeline(Readable.from(streamSafetensors(randomTensors(stored))), createWriteStream(`${path}.part`));
  await rename(`${path}.part`, path);
}

function* randomTensors(stored: StoredType): Generator<[string, LazyTensor]> {
  let seed = 1;
  for (const [path, { shape, size }] of emptyDecoder(stored).namedParameters()) {
    const { key, rule } = toTheirs(llama.checkpoint.names(), path)[0];
    const theirs = rule.layout === 'linear' ? [...shape].reverse() : [...shape];
    yield [key, { dtype: stored, shape: theirs, read: async () => noise(stored, size, seed++) }];
  }
}

function noise(stored: StoredType, size: number, seed: number): Float32Array | Uint16Array {
  let state = seed;
  // Numerical Recipes' constants.
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  if (stored === 'F32') return Float32Array.from({ length: size }, () => next() / 2 ** 31 - 1);
  // Sign and fraction by chance, and an exponent for 2^-31 up to 1.
  return Uint16Array.from({ length: size }, () => ((next() >>> 16) & 0x8fff) | 0x3000);
}
