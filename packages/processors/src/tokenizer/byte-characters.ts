/**
 * The characters that byte-level vocabularies write bytes as: printable ones stand for themselves, the others for
 * characters from U+0100 on.
 *
 * Source: `bytes_to_unicode` of openai/gpt-2, src/encoder.py.
 */
export const byteCharacters: readonly string[] = (() => {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();

/** Byte of each such character. */
export const byteOfCharacter: ReadonlyMap<string, number> = new Map(
  byteCharacters.map((character, byte) => [character, byte]),
);

const encoder = new TextEncoder();

/** A text in bytes, each written as its character, and for each the units of the character that it is a part of. */
export interface ByteText {
  readonly text: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Lone surrogates become U+FFFD. */
export function toByteText(text: string): ByteText {
  let written = '';
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  for (const character of text) {
    for (const byte of encoder.encode(character)) {
      written += byteCharacters[byte];
      starts.push(at);
      ends.push(at + character.length);
    }
    at += character.length;
  }
  return { text: written, starts, ends };
}
