import type { Output } from './engine.ts';

/** An output whose values have been read. */
export type ReadOutput = Omit<Output, 'values'> & { values?(): ArrayLike<number> };

/**
 * How the processes of engines talk: a line on standard input asks for one run, and a line of JSON on descriptor 3
 * answers it. The first line there, unasked, says that the engine is ready.
 */
export interface Answer {
  /** Wall time of the run. */
  readonly ms: number;
  /** Largest resident memory of the process so far. */
  readonly peakMegabytes: number;
  /** How much more that is than it had when it was ready. */
  readonly grownMegabytes?: number;
  /** float32 in base64. */
  readonly values?: string;
  readonly tokens?: readonly number[];
  readonly msToFirst?: number;
  readonly msPerToken?: number;
}

export function packAnswer(output: ReadOutput, ms: number, peakMegabytes: number): Answer {
  const { tokens, msToFirst, msPerToken, values } = output;
  const packed = values && Float32Array.from(values());
  return {
    ms,
    peakMegabytes,
    tokens,
    msToFirst,
    msPerToken,
    values: packed && Buffer.from(packed.buffer).toString('base64'),
  };
}

export function unpackValues({ values }: Answer): Float32Array | undefined {
  if (values === undefined) return undefined;
  const bytes = Uint8Array.from(Buffer.from(values, 'base64'));
  return new Float32Array(bytes.buffer);
}
