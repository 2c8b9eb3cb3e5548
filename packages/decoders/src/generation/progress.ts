import type { FinishReason, GeneratedTokens } from '@mmllm/core';

/** Who has finished, and why. */
export class Progress {
  readonly #finished: (FinishReason | undefined)[];
  readonly #maxNewTokens: number;
  readonly #stopIds: ReadonlySet<number>;
  #steps = 0;

  constructor(batch: number, maxNewTokens: number, stopIds: readonly number[]) {
    this.#finished = new Array(batch).fill(undefined);
    this.#maxNewTokens = maxNewTokens;
    this.#stopIds = new Set(stopIds);
  }

  get done(): boolean {
    return this.#finished.every((reason) => reason !== undefined);
  }

  /** What to tell of one step's tokens, one for every sequence, also for those that need none any more. */
  record(tokens: Int32Array): GeneratedTokens {
    this.#steps++;
    const ids = tokens.map((token, row) => {
      if (this.#finished[row]) return -1;
      if (this.#stopIds.has(token)) {
        this.#finished[row] = 'stop';
        return -1;
      }
      if (this.#steps === this.#maxNewTokens) this.#finished[row] = 'length';
      return token;
    });
    return { ids, finished: [...this.#finished] };
  }
}
