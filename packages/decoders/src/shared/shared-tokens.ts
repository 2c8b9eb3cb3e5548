/**
 * How many first tokens any two rows of a cache are known to have in common: rows that were copied from one row share
 * what it held. Of other rows nothing is known, which counts as none.
 */
export class SharedTokens {
  readonly #counts: readonly number[][];

  private constructor(counts: readonly number[][]) {
    this.#counts = counts;
  }

  static none(batch: number): SharedTokens {
    return new SharedTokens(Array.from({ length: batch }, () => new Array<number>(batch).fill(0)));
  }

  /** What rows share that are copies of these ones of `length` tokens. */
  select(rows: readonly number[], length: number): SharedTokens {
    return new SharedTokens(rows.map((a) => rows.map((b) => (a === b ? length : this.#counts[a][b]))));
  }

  crop(length: number): SharedTokens {
    return new SharedTokens(this.#counts.map((row) => row.map((count) => Math.min(count, length))));
  }

  /** The first of `length` tokens in which a row i and row `rows[i]` may differ; `length` if none does. */
  firstDifference(rows: readonly number[], length: number): number {
    return rows.reduce(
      (first, row, i) => (row === i ? first : Math.min(first, this.#counts[row][i])),
      length,
    );
  }
}
