import { type Fields, isObject, refuse } from './file';

/** Compiles a regular expression of the file, written for Oniguruma. */
export type CompileRegex = (source: string, component: string) => RegExp;

/** Where a pattern matches, [start, end), in order and without overlap. */
export type FindMatches = (text: string) => Iterable<readonly [number, number]>;

/** A pattern of the file: `{ "String": … }` or `{ "Regex": … }`. */
export function patternOf(fields: Fields, key: string, compile: CompileRegex): FindMatches {
  const pattern = fields.json[key];
  const component = `${fields.component}.${key}`;
  if (!isObject(pattern)) return refuse(component, 'a String or a Regex', pattern);
  const { String: literal, Regex: source } = pattern;
  if (typeof literal === 'string') return matchesOfLiteral(literal);
  if (typeof source === 'string') return matchesOf(compile(source, component));
  return refuse(component, 'a String or a Regex', pattern);
}

function matchesOfLiteral(literal: string): FindMatches {
  return function* (text) {
    if (literal === '') return;
    for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length)) {
      yield [at, at + literal.length];
    }
  };
}

/**
 * Empty matches count too, but not right behind another match, as in Oniguruma.
 * @param pattern with the flags `g` and `u`
 */
export function matchesOf(pattern: RegExp): FindMatches {
  return function* (text) {
    let last = -1;
    for (const { index, 0: match } of text.matchAll(pattern)) {
      if (match === '' && index === last) continue;
      last = index + match.length;
      yield [index, last];
    }
  };
}
