import { fail } from '../fail';
import { joinTexts, made, repeatText, spend } from '../limits';
import { ordered } from './compare';
import { printFloat, printInteger } from './print';
import { Dict, isList, Tuple, typeName, Undefined, type Value } from './values';

export interface JsonStyle {
  readonly ascii: boolean;
  /** What a level is indented by; without it all is on one line. */
  readonly indent?: string;
  readonly separators: readonly [item: string, key: string];
  readonly sortKeys: boolean;
}

/**
 * Python's `json.dumps`.
 * @throws TemplateError for a value that JSON has none for.
 */
export function dumps(value: Value, style: JsonStyle, level = 0): string {
  spend();
  if (typeof value === 'string') return made(quote(value, style.ascii));
  const number = dumpsPlain(value);
  if (number !== undefined) return number;
  if (isList(value) || value instanceof Tuple) {
    const items = isList(value) ? value : value.items;
    return enclose(
      '[',
      items.map((item) => dumps(item, style, level + 1)),
      ']',
      style,
      level,
    );
  }
  if (value instanceof Dict) {
    const lines = entries(value, style).map(([key, item]) => {
      return quote(key, style.ascii) + style.separators[1] + dumps(item, style, level + 1);
    });
    return enclose('{', lines, '}', style, level);
  }
  const type = value instanceof Undefined ? 'Undefined' : typeName(value);
  return fail('type', `Object of type ${type} is not JSON serializable`);
}

function dumpsPlain(value: Value): string | undefined {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return printInteger(value);
  if (typeof value !== 'number') return undefined;
  return Number.isFinite(value)
    ? printFloat(value)
    : ({ nan: 'NaN', inf: 'Infinity' }[printFloat(value)] ?? '-Infinity');
}

function entries(dict: Dict, { sortKeys }: JsonStyle): [string, Value][] {
  const all = dict.entries();
  if (sortKeys) all.sort(([a], [b]) => (ordered(a, '<', b) ? -1 : Number(ordered(b, '<', a))));
  return all.map(([key, value]) => [keyText(key), value]);
}

function keyText(key: Value): string {
  const text = typeof key === 'string' ? key : dumpsPlain(key);
  return text ?? fail('type', `keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

function enclose(
  open: string,
  lines: readonly string[],
  close: string,
  style: JsonStyle,
  level: number,
): string {
  const { indent, separators } = style;
  if (lines.length === 0) return open + close;
  if (indent === undefined) return open + joinTexts(lines, separators[0]) + close;
  const line = `\n${repeatText(indent, level + 1)}`;
  return `${open}${line}${joinTexts(lines, separators[0] + line)}\n${repeatText(indent, level)}${close}`;
}

const short: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

function quote(text: string, ascii: boolean): string {
  spend(text.length >> 4);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON escapes
  const pattern = ascii ? /["\\]|[^ -~]/g : /["\\\x00-\x1f]/g;
  const code = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `"${text.replace(pattern, (unit) => short[unit] ?? code(unit))}"`;
}
