import { fail } from '../fail';
import { joinTexts, made, repeatText, spend } from '../limits';
import { integer, text as textOf } from '../python/arguments';
import { pairs } from '../python/attributes';
import { characters, length } from '../python/characters';
import { formatText } from '../python/format';
import { print } from '../python/print';
import { length as lengthOf } from '../python/sequence';
import { capitalize, fill, replace, splitLines, stripSet } from '../python/text-methods';
import { Dict, isIterable, iterate, Tuple, truthy, type Value } from '../python/values';
import { space, strip } from '../python/whitespace';
import type { Filter } from './filters';

function indent(self: string, by: string, first: boolean, blank: boolean): string {
  const lines = splitLines(`${self}\n`);
  const indented = lines.map((line, i) => (i > 0 && (blank || line !== '') ? by + line : line));
  return (first ? by : '') + joinTexts(indented, '\n');
}

/** Jinja's words begin behind blanks, hyphens and opening brackets, Python's behind any other sign. */
const titled = new RegExp(`[-${space}({\\[<]+|[^-${space}({\\[<]+`, 'gu');

function title(self: string): string {
  return made(self.replace(titled, ([first, ...rest]) => first.toUpperCase() + rest.join('').toLowerCase()));
}

function truncate(value: Value, most: number, killWords: boolean, end: string, leeway: number): Value {
  // As Jinja: the length is that of the value, the rest works on a text.
  if (lengthOf(value) <= most + leeway) return value;
  const units = characters(print(value));
  const cut = [...units.slice(0, most - length(end))].join('');
  const lastBlank = cut.lastIndexOf(' ');
  return (killWords || lastBlank < 0 ? cut : cut.slice(0, lastBlank)) + end;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
};

const escaped: Filter = {
  parameters: '',
  run: (value) => made(print(value).replace(/[&<>'"]/g, (sign) => entities[sign])),
};

/** A text, or the names and values of a query. */
function urlEncode(value: Value): string {
  if (typeof value === 'string' || !isIterable(value)) return quoteUrl(print(value), '/');
  const entries = value instanceof Dict ? pairs(value) : [...iterate(value)];
  const parts = entries.map((entry) => {
    const pair = [...iterate(entry)].map((item) => quoteUrl(print(item), '').replaceAll('%20', '+'));
    return pair.length === 2 ? pair.join('=') : fail('value', 'urlencode takes pairs of names and values');
  });
  return joinTexts(parts, '&');
}

function quoteUrl(text: string, safe: string): string {
  const quoted = encodeURIComponent(text.replace(/\p{Cs}/gu, '\ufffd')).replaceAll('%2F', safe || '%2F');
  return made(quoted.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`));
}

/** Filters of texts. Other values are printed first. */
export const textFilters: Readonly<Record<string, Filter>> = {
  capitalize: { parameters: '', run: (value) => capitalize(print(value)) },
  center: {
    parameters: 'width',
    run: (value, width = 80n) => {
      const wide = integer(width);
      return fill(print(value), wide, (missing) => (missing >> 1) + (missing & wide & 1));
    },
  },
  e: escaped,
  escape: escaped,
  indent: {
    parameters: 'width first blank',
    run: (value, width = 4n, first = false, blank = false) =>
      indent(
        print(value),
        typeof width === 'string' ? width : repeatText(' ', integer(width)),
        truthy(first),
        truthy(blank),
      ),
  },
  lower: { parameters: '', run: (value) => made(print(value).toLowerCase()) },
  replace: {
    parameters: 'old new count',
    required: 2,
    run: (value, old, by, count) =>
      replace.run(print(value), print(old!), print(by!), count === null ? undefined : count),
  },
  title: { parameters: '', run: (value) => title(print(value)) },
  trim: {
    parameters: 'chars',
    run: (value, chars = null) =>
      chars === null ? strip(print(value)) : stripSet(print(value), new Set(textOf(chars))),
  },
  truncate: {
    parameters: 'length killwords end leeway',
    run: (value, most = 255n, killWords = false, end = '...', leeway = 5n) =>
      truncate(value, integer(most), truthy(killWords), textOf(end), integer(leeway ?? 5n)),
  },
  upper: { parameters: '', run: (value) => made(print(value).toUpperCase()) },
  urlencode: { parameters: '', run: urlEncode },
  wordcount: {
    parameters: '',
    run(value) {
      spend(print(value).length >> 4);
      return BigInt(print(value).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0);
    },
  },
};

/** `text | format(…)`. */
export function formatFilter(
  value: Value,
  positional: readonly Value[],
  named: ReadonlyMap<string, Value>,
): string {
  return formatText(print(value), named.size > 0 ? new Dict(named) : new Tuple(positional));
}
