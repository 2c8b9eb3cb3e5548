import type { DownloadError } from '@mmllm/core';

export interface RetryOptions {
  /** How often a request is made again that failed for a reason that may pass. Default 4. */
  retries?: number;
  /** Milliseconds before the first further try; each later one waits twice as long, up to 16 times. Default 500. */
  retryDelay?: number;
}

/** Thrown inside an attempt for what may pass; `error` is what the caller gets when it did not. */
export class Passing extends Error {
  constructor(
    readonly error: DownloadError,
    /** Milliseconds that the server asked to wait. */
    readonly wait = 0,
  ) {
    super(error.message);
  }
}

/** The longest wait that a server is granted. */
const MAX_WAIT = 60_000;

/** Counts the failures in a row, and waits after each. */
export class Patience {
  readonly #retries: number;
  readonly #delay: number;
  #failures = 0;

  constructor({ retries = 4, retryDelay = 500 }: RetryOptions) {
    this.#retries = retries;
    this.#delay = retryDelay;
  }

  /** After bytes came: the next failure is the first one again. */
  renew(): void {
    this.#failures = 0;
  }

  /**
   * Waits before another try.
   * @throws DownloadError after the last one, and anything that is not `Passing` at once.
   */
  async endure(failure: unknown, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (!(failure instanceof Passing)) throw failure;
    if (this.#failures >= this.#retries) throw failure.error;
    const delay = this.#delay * 2 ** Math.min(this.#failures++, 4);
    // Clients that failed together shall not all come back together.
    const spread = delay * (0.75 + 0.5 * Math.random());
    await pause(Math.max(spread, Math.min(failure.wait, MAX_WAIT)), signal);
  }
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done);
  });
}
