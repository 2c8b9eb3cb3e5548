import { packedStep, widenRows } from './packed-rows';

/** What attention works on, written by the host word by word: `attention-task.ts` there lists the same fields. */
@unmanaged
export class AttentionTask {
  batch: i32;
  queries: i32;
  keys: i32;
  heads: i32;
  keyHeads: i32;
  headSize: i32;
  /** Rows of `k` and `v` from a sample to the next; those from `keys` on are not there. */
  keyRows: i32;
  scale: f32;

  causal: i32;
  window: i32;
  /** int32[batch] each, or 0. */
  start: usize;
  end: usize;
  prefix: usize;
  /** int32[batch, queries] and int32[batch, keys], or 0. */
  queryBlocks: usize;
  keyBlocks: usize;
  /** float32[batch or 1, heads or 1, queries, keys], or 0. */
  bias: usize;
  /** Matrices of the bias from a sample to the next, and from a head to the next. */
  biasBatch: i32;
  biasHead: i32;

  /** float32[batch, queries, heads · headSize], as are `out`, `dy` and `dq`. */
  q: usize;
  /** float32[batch, keyRows, keyHeads · headSize], as are `v`, `dk` and `dv`; k and v may be packed. */
  k: usize;
  v: usize;
  out: usize;
  /** float32[batch, heads, queries] */
  logSumExp: usize;
  dy: usize;
  dq: usize;
  dk: usize;
  dv: usize;

  /** Whether k and v are packed rows in 8 bits. */
  packed: i32;

  /** Query heads that read one key head. */
  get group(): i32 {
    return this.heads / this.keyHeads;
  }

  /** Bytes from a query to the next. */
  get queryStep(): usize {
    return (<usize>(this.heads * this.headSize)) << 2;
  }

  /** Bytes from a key to the next. */
  get keyStep(): usize {
    const width = this.keyHeads * this.headSize;
    return this.packed ? packedStep(width) : (<usize>width) << 2;
  }

  /** Bytes from the start of q, out, dy or dq to a query of a head. */
  queryAt(sample: i32, head: i32, query: i32): usize {
    return <usize>(sample * this.queries + query) * this.queryStep + ((<usize>(head * this.headSize)) << 2);
  }

  /** Bytes from the start of k, v, dk or dv to a key of a key head, or where they are packed to the whole key. */
  keyAt(sample: i32, keyHead: i32, key: i32): usize {
    const head = this.packed ? 0 : keyHead * this.headSize;
    return <usize>(sample * this.keyRows + key) * this.keyStep + ((<usize>head) << 2);
  }

  /** `count` packed keys or values of a key head from `at` on, as float32[count, headSize]. */
  widen(at: usize, keyHead: i32, count: i32, to: usize): void {
    widenRows(at, count, this.keyHeads * this.headSize, keyHead * this.headSize, this.headSize, to);
  }

  /** Where the log-sum-exp of a query stands. */
  logAt(sample: i32, head: i32, query: i32): usize {
    return this.logSumExp + ((<usize>((sample * this.heads + head) * this.queries + query)) << 2);
  }
}

/** How many panels of `width` hold n rows. */
export function panels(n: i32, width: i32): i32 {
  return (n + width - 1) / width;
}
