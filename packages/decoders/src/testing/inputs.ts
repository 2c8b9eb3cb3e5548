import { type Decoder, type DecoderInputs, type GenerateOptions, sequentialPositions } from '@mmllm/core';

/** Rows of ids, padded on the left to one length with id 0. */
export function leftPadded(rows: readonly (readonly number[])[]) {
  const length = Math.max(...rows.map((row) => row.length));
  const start = Int32Array.from(rows, (row) => length - row.length);
  const data = Int32Array.from(rows.flatMap((row, b) => [...new Array(start[b]).fill(0), ...row]));
  const shape: readonly [number, number] = [rows.length, length];
  return { ids: { data, shape }, start };
}

/** What a decoder takes for rows of ids. The caller disposes of the embeddings. */
export function textInputs(decoder: Decoder, rows: readonly (readonly number[])[]): DecoderInputs {
  const { ids, start } = leftPadded(rows);
  return {
    embeddings: decoder.embed(ids),
    positions: sequentialPositions(ids.shape, start),
    rule: { causal: true, start },
    tokens: ids,
  };
}

/** All tokens that a decoder generates for rows of ids, one list for each row. */
export async function generateRows(
  decoder: Decoder,
  rows: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<number[][]> {
  const inputs = textInputs(decoder, rows);
  const tokens = rows.map((): number[] => []);
  try {
    for await (const { ids } of decoder.generate(inputs, options)) {
      tokens.forEach((row, b) => {
        if (ids[b] >= 0) row.push(ids[b]);
      });
    }
  } finally {
    inputs.embeddings.dispose();
  }
  return tokens;
}
