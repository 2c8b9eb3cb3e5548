import type { SequencePiece } from '../../packages/core/src/index';

/** What stands for a picture in the text, with repetitions counted: `(<image>×24 <row>)×23`. */
export function sequence(pieces: readonly SequencePiece[], imageToken: string): string {
  const words = pieces.map((piece) => {
    if (piece.kind === 'text') return piece.text;
    return piece.kind === 'marker' ? imageToken : times(imageToken, piece.count);
  });
  return shorten(words).join(' ');
}

const times = (word: string, n: number) => (n === 1 ? word : `${word}×${n}`);

/** Repeated words, and repeated groups of a few words, become one. */
function shorten(words: readonly string[]): string[] {
  const short: string[] = [];
  for (let i = 0; i < words.length; ) {
    const { length, n } = repetitionAt(words, i);
    const group = words.slice(i, i + length).join(' ');
    short.push(n === 1 ? group : times(length === 1 ? group : `(${group})`, n));
    i += length * n;
  }
  return short;
}

/** The group of at most four words that covers most by repetition from here on. */
function repetitionAt(words: readonly string[], from: number): { length: number; n: number } {
  let best = { length: 1, n: 1 };
  for (let length = 1; length <= 4; length++) {
    let n = 1;
    const same = (k: number) => words[from + k] === words[from + n * length + k];
    const isRepeated = () => from + (n + 1) * length <= words.length && [...Array(length).keys()].every(same);
    while (isRepeated()) n++;
    if (n > 1 && n * length > best.n * best.length) best = { length, n };
  }
  return best;
}
