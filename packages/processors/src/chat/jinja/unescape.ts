import { fail } from '../fail';

const single: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const escapes = /\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|([0-7]{1,3})|([\s\S]))/gi;

/**
 * What a string literal says, by Python's `unicode-escape`: an escape that it does not know stands for itself.
 * @throws TemplateError for an escape that is cut short.
 */
export function unescaped(text: string): string {
  return text.replace(escapes, (all, two, four, eight, octal, letter: string) => {
    const hex = two ?? four ?? eight;
    if (hex !== undefined) return character(Number.parseInt(hex, 16));
    if (octal !== undefined) return character(Number.parseInt(octal, 8));
    if ('xuUN'.includes(letter)) fail('syntax', `cannot read the escape \\${letter} of a string`);
    return Object.hasOwn(single, letter) ? single[letter] : all;
  });
}

const character = (code: number): string =>
  code <= 0x10ffff ? String.fromCodePoint(code) : fail('syntax', 'illegal Unicode character');
