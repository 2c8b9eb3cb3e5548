/** Shows text as it comes, but for what may still become a stop string, and nothing from one on. */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';
  #stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '');
  }

  /** Whether a stop string has come. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** The text that is certain with this piece. */
  push(piece: string): string {
    if (this.#stopped) return '';
    const text = this.#held + piece;
    const found = this.#stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.#stopped = true;
      this.#held = '';
      return text.slice(0, Math.min(...found));
    }
    const kept = Math.max(0, ...this.#stops.map((stop) => beginning(text, stop)));
    this.#held = text.slice(text.length - kept);
    return text.slice(0, text.length - kept);
  }

  /** What was held back, once no more text comes. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }
}

/** How many characters at the end of a text are the beginning of `stop`. */
function beginning(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
