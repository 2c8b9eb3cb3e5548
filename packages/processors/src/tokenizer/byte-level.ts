import { type Aligned, AlignedBuilder } from './aligned';
import { toByteText } from './byte-characters';
import type { Tokens } from './models/model';

/** Writes the bytes of a text as characters, of which each is aligned to the one that it is a part of. */
export function inBytes(source: Aligned): Aligned {
  const builder = new AlignedBuilder(source);
  const { text, starts } = toByteText(source.text);
  for (let i = 0; i < text.length; i++) builder.write(text[i], starts[i]);
  return builder.build();
}

/** Tokenises the characters that stand for the bytes of a text, where it is asked to; the places are those in the text. */
export function alsoBytes(tokenize: (text: string) => Tokens): (text: string, inBytes: boolean) => Tokens {
  return (text, inBytes) => {
    if (!inBytes) return tokenize(text);
    const bytes = toByteText(text);
    const { ids, starts, ends } = tokenize(bytes.text);
    return {
      ids,
      starts: starts.map((start) => bytes.starts[start]),
      ends: ends.map((end) => bytes.ends[end - 1]),
    };
  };
}
