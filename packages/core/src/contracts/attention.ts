/**
 * Who sees whom, as data: an op layer turns it into a mask, or skips what is masked. Query `t` of `T` stands at key
 * position `S − T + t`, so one rule serves prompts and decoding with a cache. A query that sees nothing gets zeros.
 */
export interface AttentionRule {
  /** A query sees no later key. */
  readonly causal: boolean;
  /** First key that counts in each sample (left padding), int32[B]. */
  readonly start?: Int32Array;
  /** End (exclusive) of the keys that count in each sample (right padding), int32[B]. */
  readonly end?: Int32Array;
  /** Prefix-LM: keys before this index are seen by every query, int32[B]. */
  readonly prefix?: Int32Array;
  /** Only equal ids see each other: int32[B, T] of the queries … */
  readonly queryBlocks?: Int32Array;
  /** … and int32[B, S] of the keys. */
  readonly keyBlocks?: Int32Array;
  /** Sliding window: a query sees at most this many latest keys, itself included. */
  readonly window?: number;
  /** Any additive mask, float32 of `biasShape`. */
  readonly bias?: Float32Array;
  /** [B or 1, H or 1, T, S] */
  readonly biasShape?: readonly [number, number, number, number];
}
