import type { AttentionRule } from '@mmllm/core';

export interface AttentionSizes {
  readonly batch: number;
  /** T */
  readonly queries: number;
  /** S */
  readonly keys: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headSize: number;
  /** Rows of k and v from a sample to the next; those from `keys` on are not there. */
  readonly keyRows: number;
  readonly scale: number;
  /** Whether k and v are packed rows in 8 bits. */
  readonly packed: boolean;
}

/** Addresses of the tensors; the gradient has all. */
export interface AttentionTensors {
  readonly q: number;
  readonly k: number;
  readonly v: number;
  readonly out: number;
  readonly logSumExp: number;
  readonly dy?: number;
  readonly dq?: number;
  readonly dk?: number;
  readonly dv?: number;
}

/** Bytes of the fields, rounded up for the arrays behind them. */
const FIELD_BYTES = 128;

/** Stands for no window: farther than any key. */
const ANY_DISTANCE = 1 << 30;

/** Bytes that `writeTask` fills: the fields, and behind them the arrays of the rule as it has them. */
export const taskBytes = (rule: AttentionRule): number =>
  arraysOf(rule).reduce((bytes, array) => bytes + (array?.byteLength ?? 0), FIELD_BYTES + 8);

const arraysOf = (rule: AttentionRule) => [
  rule.start,
  rule.end,
  rule.prefix,
  rule.queryBlocks,
  rule.keyBlocks,
  rule.bias,
];

/** Writes what `assembly/attention-task.ts` reads, field by field. A bias is the only array of the size of the scores. */
export function writeTask(
  { buffer }: WebAssembly.Memory,
  address: number,
  rule: AttentionRule,
  sizes: AttentionSizes,
  tensors: AttentionTensors,
): void {
  let end = address + FIELD_BYTES;
  const arrays = arraysOf(rule).map((array) => {
    if (!array) return 0;
    new Uint8Array(buffer, end, array.byteLength).set(
      new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
    );
    end += array.byteLength;
    return end - array.byteLength;
  });
  const { batch, queries, keys, heads, keyHeads, headSize, keyRows, scale, packed } = sizes;
  const [biasBatch, biasHeads] = rule.biasShape ?? [1, 1];
  const { q, k, v, out, logSumExp, dy = 0, dq = 0, dk = 0, dv = 0 } = tensors;
  new Int32Array(buffer, address, FIELD_BYTES / 4).set([
    ...[batch, queries, keys, heads, keyHeads, headSize, keyRows, 0],
    ...[Number(rule.causal), Math.ceil(Math.min(rule.window ?? ANY_DISTANCE, ANY_DISTANCE))],
    ...arrays,
    ...[biasBatch === 1 ? 0 : biasHeads, biasHeads === 1 ? 0 : 1],
    ...[q, k, v, out, logSumExp, dy, dq, dk, dv, Number(packed)],
  ]);
  new Float32Array(buffer, address, 8)[7] = scale;
}
