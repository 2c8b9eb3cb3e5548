import { joinTexts, made, repeatText, spend } from '../limits';
import { integer, text } from '../python/arguments';
import { characters, length } from '../python/characters';
import { formatText } from '../python/format';
import { print } from '../python/print';
import { capitalize, fill, replace, splitLines, stripSet } from '../python/text-methods';
import { Dict, Tuple, truthy, type Value } from '../python/values';
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

function truncate(self: string, most: number, killWords: boolean, end: string, leeway: number): string {
  const units = characters(self);
  if (units.length <= most + leeway) return self;
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

function urlEncode(value: Value): string {
  const quoted = encodeURIComponent(print(value).replace(/\p{Cs}/gu, '\ufffd')).replaceAll('%2F', '/');
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
      chars === null ? strip(print(value)) : stripSet(print(value), new Set(text(chars))),
  },
  truncate: {
    parameters: 'length killwords end leeway',
    run: (value, most = 255n, killWords = false, end = '...', leeway = 5n) =>
      truncate(print(value), integer(most), truthy(killWords), text(end), integer(leeway ?? 5n)),
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
