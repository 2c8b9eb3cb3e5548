import type { GenerationTimings } from './answer';

/** Times one generation. */
export class Stopwatch {
  promptTokens = 0;
  readonly #start = performance.now();
  #first: number | undefined;
  #last = this.#start;

  /** The tokens of one step are there. */
  step(): void {
    this.#last = performance.now();
    this.#first ??= this.#last;
  }

  timings(newTokens: number): GenerationTimings {
    const first = this.#first ?? this.#last;
    const seconds = (this.#last - first) / 1000;
    return {
      promptTokens: this.promptTokens,
      newTokens,
      firstTokenMs: first - this.#start,
      totalMs: this.#last - this.#start,
      tokensPerSecond: newTokens > 1 && seconds > 0 ? (newTokens - 1) / seconds : 0,
    };
  }
}
