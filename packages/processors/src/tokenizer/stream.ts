import type { TextStream } from '@mmllm/core';

/** How a stream decodes, and which of its results may still change. */
export interface StreamedDecoding {
  decode(ids: readonly number[]): string;
  /** A token that stands for one byte; a run of them is decoded as one. */
  isByte(id: number): boolean;
  /** A token that is left out, and does not end such a run. */
  isSkipped(id: number): boolean;
  /** Decoded text is changed as a whole: blanks in it are cleaned up or stripped. */
  readonly rewritten: boolean;
  /** Whether later tokens leave decoded text as it is, but for what is rewritten. */
  readonly piecewise: boolean;
}

/**
 * Decodes token by token. Pieces hold complete characters only, and together they are what decoding all ids at once
 * gives. The time that a token takes does not grow with the text.
 */
export function textStream(decoding: StreamedDecoding): TextStream {
  if (!decoding.piecewise) return wholeStream(decoding);
  return decoding.rewritten ? rewrittenStream(decoding) : windowStream(decoding);
}

function windowStream({ decode, isByte, isSkipped }: StreamedDecoding): TextStream {
  /** Ids that were decoded before and decide how the next are: whether a blank in front of them is dropped. */
  let context: number[] = [];
  let before = '';
  let pending: number[] = [];
  let inBytes = false;

  const take = (text: string): string => {
    const piece = text.slice(before.length);
    const own = decode(pending);
    // Ids without text of their own are no context alone; there are few of them in a row.
    const enough = own.trim() !== '' || pending.length + context.length > 64;
    context = enough ? pending : [...context, ...pending];
    before = enough ? own : text;
    pending = [];
    return piece;
  };

  return {
    push(id) {
      pending.push(id);
      if (!isSkipped(id)) inBytes = isByte(id);
      if (inBytes) return '';
      const text = decode([...context, ...pending]);
      // A replacement character at the end may be a character whose other bytes are still to come.
      return text.endsWith('\uFFFD') ? '' : take(text);
    },
    end: () => (pending.length > 0 ? take(decode([...context, ...pending])) : ''),
  };
}

/** More characters than any rewriting looks at. */
const reach = 8;

/** Without what is at its end and may still change: blanks, and parts of characters. */
const solid = (text: string) => text.replace(/[\s\uFFFD]+$/, '').replace(/[\uD800-\uDBFF]$/, '');

/** Keeps back what later text may change, and decodes from the start each time: such tokenizers write short texts. */
function rewrittenStream({ decode }: StreamedDecoding): TextStream {
  const ids: number[] = [];
  let shown = 0;
  const upTo = (text: string, end: number): string => {
    const piece = text.slice(shown, end);
    shown = Math.max(shown, end);
    return piece;
  };
  return {
    push(id) {
      ids.push(id);
      const text = decode(ids);
      const certain = solid(text.slice(0, Math.max(0, solid(text).length - reach)));
      return upTo(text, certain.length);
    },
    end() {
      const text = decode(ids);
      return upTo(text, text.length);
    },
  };
}

/** Gives everything at the end. */
function wholeStream({ decode }: StreamedDecoding): TextStream {
  const ids: number[] = [];
  return {
    push(id) {
      ids.push(id);
      return '';
    },
    end: () => decode(ids.splice(0)),
  };
}
