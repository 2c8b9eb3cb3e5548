/** What Python's `str.isspace` holds for, for use in a character class. JavaScript's own `\s` has others. */
export const space = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const whole = new RegExp(`^[${space}]*$`);
const leading = new RegExp(`^[${space}]+`);
const single = new RegExp(`[${space}]`);

export const isBlank = (text: string): boolean => whole.test(text);

export const stripStart = (text: string): string => text.replace(leading, '');

/** Without a pattern: one that is tied to the end takes quadratic time on long blanks. */
export function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && single.test(text[end - 1])) end--;
  return text.slice(0, end);
}

export const strip = (text: string): string => stripStart(stripEnd(text));
