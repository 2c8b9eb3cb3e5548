import { fail } from '../fail';
import { joinTexts, made, repeatText, spend } from '../limits';
import { integer, text } from './arguments';
import { characters, length } from './characters';
import { iterate, Tuple, typeName, type Value } from './values';
import { isBlank, space, strip, stripEnd, stripStart } from './whitespace';

type Given = readonly (Value | undefined)[];

/** A method of str: its parameters, how many of them are needed, and what it does. */
export interface TextMethod {
  readonly parameters: readonly string[];
  readonly required: number;
  readonly run: (self: string, ...given: Given) => Value;
}

function method(parameters: string, run: TextMethod['run'], required = 0): TextMethod {
  return { parameters: parameters ? parameters.split(' ') : [], required, run };
}

const optional = (value: Value | undefined): string | undefined =>
  value === undefined || value === null ? undefined : text(value);

/** Without `characters` blanks are stripped. */
function stripping(whole: (self: string) => string, from: boolean, to: boolean): TextMethod {
  return method('chars', (self, chars) => {
    const set = optional(chars);
    return set === undefined ? whole(self) : stripSet(self, new Set(set), from, to);
  });
}

export function stripSet(self: string, set: ReadonlySet<string>, from = true, to = true): string {
  const units = characters(self);
  spend(units.length >> 4);
  let [first, last] = [0, units.length];
  while (from && first < last && set.has(units[first])) first++;
  while (to && last > first && set.has(units[last - 1])) last--;
  const kept = units.slice(first, last);
  return typeof kept === 'string' ? kept : kept.join('');
}

/** `startswith` takes a tuple of texts, too. */
function affix(test: (self: string, affix: string) => boolean): TextMethod {
  const run = (self: string, affixes: Value | undefined, start?: Value, end?: Value) => {
    const part = within(self, start, end);
    const list = affixes instanceof Tuple ? affixes.items : [affixes!];
    return list.some((one) => test(part, text(one)));
  };
  return method('prefix start end', run, 1);
}

/** The part that the optional bounds of a method leave. */
function within(self: string, start?: Value, end?: Value): string {
  if ((start ?? null) === null && (end ?? null) === null) return self;
  const units = [...characters(self)];
  const [from, to] = [start, end].map((bound) => ((bound ?? null) === null ? undefined : integer(bound!)));
  return units.slice(from, to).join('');
}

/** @returns in code points. */
function finding(find: (self: string, part: string) => number, orFail: boolean): TextMethod {
  const run = (self: string, part: Value | undefined) => {
    const at = find(self, text(part!));
    if (at < 0 && orFail) fail('value', 'substring not found');
    return BigInt(at < 0 ? -1 : length(self.slice(0, at)));
  };
  return method('sub', run, 1);
}

function replaceText(self: string, old: string, by: string, count: number): string {
  if (count === 0) return self;
  const most = count < 0 ? Number.POSITIVE_INFINITY : count;
  const pieces = old === '' ? ['', ...characters(self), ''] : self.split(old);
  const head = pieces.slice(0, Math.min(pieces.length, most + 1));
  const rest = pieces.slice(head.length);
  const tail = rest.length > 0 ? old + rest.join(old) : '';
  return joinTexts(head, by) + tail;
}

export const replace: TextMethod = method(
  'old new count',
  (self, old, by, count) =>
    replaceText(self, text(old!), text(by!), count === undefined ? -1 : integer(count)),
  2,
);

/** `split` and `rsplit`; without a separator at runs of blanks. */
function splitting(fromEnd: boolean): TextMethod {
  return method('sep maxsplit', (self, separator, maxsplit) => {
    const given = optional(separator);
    const count = maxsplit === undefined ? -1 : integer(maxsplit);
    const most = count < 0 ? Number.POSITIVE_INFINITY : count;
    spend(self.length >> 3);
    if (given === undefined) return splitBlanks(self, most, fromEnd);
    if (given === '') fail('value', 'empty separator');
    const pieces = self.split(given);
    if (pieces.length - 1 <= most) return pieces;
    if (fromEnd)
      return [pieces.slice(0, pieces.length - most).join(given), ...pieces.slice(pieces.length - most)];
    return [...pieces.slice(0, most), pieces.slice(most).join(given)];
  });
}

const words = new RegExp(`[^${space}]+`, 'g');

/** What is not split keeps the blanks at its outer end. */
function splitBlanks(self: string, most: number, fromEnd: boolean): string[] {
  const found = [...self.matchAll(words)];
  spend(found.length);
  const pieces = found.map(([word]) => word);
  if (found.length <= most) return pieces;
  if (!fromEnd) return [...pieces.slice(0, most), self.slice(found[most].index)];
  const last = found[found.length - 1 - most];
  return [self.slice(0, last.index + last[0].length), ...pieces.slice(found.length - most)];
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: Python's line ends
const lineEnd = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;

export function splitLines(self: string, keep = false): string[] {
  const lines: string[] = [];
  let from = 0;
  for (const end of self.matchAll(lineEnd)) {
    const next = end.index + end[0].length;
    lines.push(self.slice(from, keep ? next : end.index));
    from = next;
  }
  spend(lines.length);
  return from < self.length ? [...lines, self.slice(from)] : lines;
}

function partition(self: string, separator: Value | undefined, fromEnd: boolean): Tuple {
  const mark = text(separator!);
  if (mark === '') fail('value', 'empty separator');
  const at = fromEnd ? self.lastIndexOf(mark) : self.indexOf(mark);
  if (at < 0) return new Tuple(fromEnd ? ['', '', self] : [self, '', '']);
  return new Tuple([self.slice(0, at), mark, self.slice(at + mark.length)]);
}

/** Fills a text up to a width, so much of the blanks at its left. */
export function fill(self: string, width: number, left: (missing: number) => number, by = ' '): string {
  if (length(by) !== 1) fail('type', 'The fill character must be exactly one character long');
  const missing = Math.max(0, width - length(self));
  const before = left(missing);
  return repeatText(by, before) + self + repeatText(by, missing - before);
}

/** As CPython centers: an odd blank goes to the left only of an odd width. */
const half = (width: number) => (missing: number) => (missing >> 1) + (missing & width & 1);

function filling(left: (width: number) => (missing: number) => number): TextMethod {
  return method(
    'width fillchar',
    (self, width, by) => fill(self, integer(width!), left(integer(width!)), optional(by)),
    1,
  );
}

const upper = (self: string): string => made(self.toUpperCase());
const lower = (self: string): string => made(self.toLowerCase());
const cased = /[\p{Lu}\p{Ll}\p{Lt}]/u;

/** First letter in title case, the rest in lower case. */
export function capitalize(self: string): string {
  const [first = ''] = self;
  return titleCase(first) + lower(self.slice(first.length));
}

/** `ǆ` becomes `ǅ`, and `ß` becomes `Ss`. */
function titleCase(letter: string): string {
  if (/[\u01c4-\u01cc\u01f1-\u01f3]/.test(letter)) {
    return String.fromCharCode(
      [0x1c5, 0x1c8, 0x1cb, 0x1f2][Math.min(3, Math.floor((letter.charCodeAt(0) - 0x1c4) / 3))],
    );
  }
  const [first = '', ...rest] = letter.toUpperCase();
  return first + rest.join('').toLowerCase();
}

function title(self: string): string {
  let inWord = false;
  const letters = [...self].map((letter) => {
    const turned = inWord ? letter.toLowerCase() : titleCase(letter);
    inWord = cased.test(letter);
    return turned;
  });
  return joinTexts(letters);
}

function swapCase(self: string): string {
  return joinTexts(
    [...self].map((letter) => (/\p{Lu}/u.test(letter) ? letter.toLowerCase() : letter.toUpperCase())),
  );
}

export const isLower = (self: string): boolean => /\p{Ll}/u.test(self) && !/[\p{Lu}\p{Lt}]/u.test(self);
export const isUpper = (self: string): boolean => /\p{Lu}/u.test(self) && !/[\p{Ll}\p{Lt}]/u.test(self);

const testing = (pattern: RegExp): TextMethod => method('', (self) => pattern.test(self));

/** The methods of str that transformers' sandbox allows; `format` without format specifications. */
export const textMethods: Readonly<Record<string, TextMethod>> = {
  capitalize: method('', capitalize),
  casefold: method('', (self) => lower(self.replaceAll('ß', 'ss'))),
  center: filling(half),
  count: method('sub', (self, sub) => countOf(self, text(sub!)), 1),
  endswith: affix((self, suffix) => self.endsWith(suffix)),
  find: finding((self, sub) => self.indexOf(sub), false),
  index: finding((self, sub) => self.indexOf(sub), true),
  isalnum: testing(/^[\p{L}\p{N}]+$/u),
  isalpha: testing(/^\p{L}+$/u),
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  isascii: testing(/^[\x00-\x7f]*$/),
  isdecimal: testing(/^\p{Nd}+$/u),
  isdigit: testing(/^[\p{Nd}²³¹⁰⁴-⁹₀-₉]+$/u),
  isidentifier: testing(/^[\p{XIDS}_]\p{XIDC}*$/u),
  islower: method('', isLower),
  isnumeric: testing(/^\p{N}+$/u),
  isspace: method('', (self) => self !== '' && isBlank(self)),
  istitle: method('', (self) => cased.test(self) && title(self) === self),
  isupper: method('', isUpper),
  join: method('iterable', (self, items) => joinTexts([...iterate(items!)].map(joined), self), 1),
  ljust: filling(() => () => 0),
  lower: method('', lower),
  lstrip: stripping(stripStart, true, false),
  partition: method('sep', (self, sep) => partition(self, sep, false), 1),
  removeprefix: method(
    'prefix',
    (self, part) => (self.startsWith(text(part!)) ? self.slice(text(part!).length) : self),
    1,
  ),
  removesuffix: method(
    'suffix',
    (self, part) => (text(part!) && self.endsWith(text(part!)) ? self.slice(0, -text(part!).length) : self),
    1,
  ),
  replace,
  rfind: finding((self, sub) => self.lastIndexOf(sub), false),
  rindex: finding((self, sub) => self.lastIndexOf(sub), true),
  rjust: filling(() => (missing) => missing),
  rpartition: method('sep', (self, sep) => partition(self, sep, true), 1),
  rsplit: splitting(true),
  rstrip: stripping(stripEnd, false, true),
  split: splitting(false),
  splitlines: method('keepends', (self, keep = false) => splitLines(self, keep === true)),
  startswith: affix((self, prefix) => self.startsWith(prefix)),
  strip: stripping(strip, true, true),
  swapcase: method('', swapCase),
  title: method('', title),
  upper: method('', upper),
  zfill: method('width', (self, width) => zeroFill(self, integer(width!)), 1),
};

function countOf(self: string, sub: string): bigint {
  spend(self.length >> 4);
  return BigInt(sub === '' ? length(self) + 1 : self.split(sub).length - 1);
}

const joined = (item: Value, i: number): string =>
  typeof item === 'string'
    ? item
    : fail('type', `sequence item ${i}: expected str instance, ${typeName(item)} found`);

function zeroFill(self: string, width: number): string {
  const sign = /^[-+]?/.exec(self)![0];
  const missing = width - length(self);
  return sign + repeatText('0', missing) + self.slice(sign.length);
}
