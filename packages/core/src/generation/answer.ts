import type { FinishReason, TextStream, TextTokenizer } from '../contracts';
import { StopStrings } from './stop-strings';

/** How long an answer took. */
export interface GenerationTimings {
  /** Positions of the prompt, padding included. */
  readonly promptTokens: number;
  readonly newTokens: number;
  /** From the start to the first token, preparing the inputs included. */
  readonly firstTokenMs: number;
  readonly totalMs: number;
  /** Of the tokens after the first; 0 where there are none. */
  readonly tokensPerSecond: number;
}

/** A finished answer. */
export interface Answer {
  /** Without the stop token; a stop string's tokens are among them. */
  readonly ids: Int32Array;
  /** Up to a stop string. Empty for a model without a processor. */
  readonly text: string;
  readonly finishReason: FinishReason;
  readonly timings: GenerationTimings;
}

/** One token, and the text that it makes certain: complete characters, often none. */
export interface TokenPiece {
  /** Absent in the last piece where text was held back until the end. */
  readonly id?: number;
  readonly text: string;
}

/** An answer on its way. */
export class GrowingAnswer {
  readonly ids: number[] = [];
  #text = '';
  #reason: FinishReason | undefined;
  readonly #stream: TextStream;
  readonly #stops: StopStrings;

  constructor(tokenizer: TextTokenizer | undefined, stop: readonly string[]) {
    this.#stream = tokenizer ? streamOf(tokenizer) : { push: () => '', end: () => '' };
    this.#stops = new StopStrings(stop);
  }

  get finished(): boolean {
    return this.#reason !== undefined;
  }

  /** What one step of the decoder brings, −1 for no token. */
  push(id: number, finished: FinishReason | undefined): TokenPiece | undefined {
    if (this.finished) return undefined;
    this.#reason = finished;
    if (id < 0) return undefined;
    this.ids.push(id);
    const text = this.#show(this.#stops.push(this.#stream.push(id)));
    if (this.#stops.stopped) this.#reason = 'stop';
    return { id, text };
  }

  /** The text that was held back. */
  end(): TokenPiece | undefined {
    const text = this.#show(this.#stops.push(this.#stream.end()) + this.#stops.end());
    return text === '' ? undefined : { text };
  }

  answer(timings: GenerationTimings): Answer {
    return {
      ids: Int32Array.from(this.ids),
      text: this.#text,
      finishReason: this.#reason ?? 'length',
      timings,
    };
  }

  #show(text: string): string {
    this.#text += text;
    return text;
  }
}

const options = { skipSpecialTokens: true };

/** For a tokenizer without a stream of its own, all ids are decoded again for every token. */
function streamOf(tokenizer: TextTokenizer): TextStream {
  const own = tokenizer.stream?.(options);
  if (own) return own;
  const ids: number[] = [];
  let shown = '';
  const rest = (text: string): string => {
    const piece = text.slice(shown.length);
    shown = text;
    return piece;
  };
  return {
    push(id) {
      ids.push(id);
      const text = tokenizer.decode(ids, options);
      // A replacement character at the end is a character whose other bytes are still to come.
      return text.endsWith('\uFFFD') ? '' : rest(text);
    },
    end: () => rest(tokenizer.decode(ids, options)),
  };
}
