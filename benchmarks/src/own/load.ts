import { toTheirs } from '@mmllm/checkpoints';
import type { Decoder } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { holdWeights } from '@mmllm/nn';
import type { Engine, Work } from '../engine.ts';
import { emptyDecoder, pathOfFile } from '../load-file.ts';
import { fillFrom } from './fill.ts';

const names = llama.checkpoint.names();

/** The first values of each tensor's diagonal, in the order of the file's names: transposed it is the same. */
async function diagonals(decoder: Decoder): Promise<Float32Array> {
  const byKey = [...decoder.namedParameters()]
    .map(([path, parameter]) => ({ key: toTheirs(names, path)[0]!.key, parameter }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const values: number[] = [];
  for (const { parameter } of byKey) {
    const [rows, columns = 0] = parameter.shape;
    const all = await parameter.read();
    for (let i = 0; i < Math.min(rows, columns || rows); i++) values.push(all[i * (columns + 1)]);
  }
  return Float32Array.from(values);
}

export async function openLoad({ stored, held }: Extract<Work, { kind: 'load' }>): Promise<Engine> {
  let decoder = emptyDecoder(stored);
  return {
    async run() {
      decoder.dispose();
      decoder = emptyDecoder(stored);
      await holdWeights(decoder, held);
      await fillFrom(pathOfFile(stored), decoder, names);
      return { values: () => diagonals(decoder) };
    },
  };
}
