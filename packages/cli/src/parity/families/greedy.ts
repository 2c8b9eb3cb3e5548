import type { Decoder, DecoderInputs, TokenIds } from '@mmllm/core';
import type { ParityCase } from '../case';
import type { Comparison } from '../comparison';

/** Compares `out.greedy`: the prompt as it is, padding included, and the tokens that follow. */
export async function compareGreedy(
  decoder: Decoder,
  prompt: TokenIds,
  inputs: DecoderInputs,
  golden: ParityCase,
  comparison: Comparison,
): Promise<void> {
  if (!golden.has('out.greedy')) return;
  const [batch, length] = prompt.shape;
  const total = golden.shape('out.greedy')[1];
  const tokens = Array.from({ length: batch }, (_, b) => [
    ...prompt.data.subarray(b * length, (b + 1) * length),
  ]);
  for await (const { ids } of decoder.generate(inputs, { maxNewTokens: total - length })) {
    tokens.forEach((row, b) => {
      row.push(ids[b]);
    });
  }
  await comparison.give('out.greedy', { shape: [batch, total], data: Int32Array.from(tokens.flat()) });
}
