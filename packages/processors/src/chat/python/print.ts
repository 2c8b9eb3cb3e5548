import { fail } from '../fail';
import { joinTexts, made, spend } from '../limits';
import {
  Callable,
  Dict,
  DictView,
  isList,
  Lazy,
  Namespace,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values';

/** Python's `str(value)`, as a template prints it. */
export function print(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Undefined) return '';
  return made(represent(value));
}

/** Python's `repr(value)`. */
export function represent(value: Value): string {
  spend();
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'bigint':
      return printInteger(value);
    case 'number':
      return printFloat(value);
    case 'boolean':
      return value ? 'True' : 'False';
  }
  if (value === null) return 'None';
  if (isList(value)) return `[${list(value)}]`;
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Tuple) return representTuple(value);
  if (value instanceof Dict) return `{${pairs(value.entries())}}`;
  if (value instanceof DictView) return `${value.type}([${list(value.items)}])`;
  if (value instanceof Namespace) return `<Namespace {${pairs([...value.attributes])}}>`;
  if (value instanceof Range) return representRange(value);
  if (value instanceof Callable) return `<${value.type} '${value.name}'>`;
  // Python prints an address here.
  return value instanceof Lazy ? '<generator object>' : `<${typeName(value)}>`;
}

const list = (items: readonly Value[]): string => joinTexts(items.map(represent), ', ');

const pairs = (entries: readonly (readonly [Value, Value])[]): string =>
  joinTexts(
    entries.map(([key, value]) => `${represent(key)}: ${represent(value)}`),
    ', ',
  );

const representTuple = ({ items }: Tuple): string =>
  items.length === 1 ? `(${represent(items[0])},)` : `(${list(items)})`;

const representRange = ({ start, stop, step }: Range): string =>
  step === 1 ? `range(${start}, ${stop})` : `range(${start}, ${stop}, ${step})`;

/** Python refuses to print integers of more digits. */
const maxDigits = 4300;

export function printInteger(value: bigint): string {
  const text = value.toString();
  if (text.length > maxDigits + 1)
    fail('value', `Exceeds the limit (${maxDigits} digits) for integer string conversion`);
  return text;
}

/** The shortest digits that give the number back; always with a point, an exponent, or as `inf` and `nan`. */
export function printFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const [digits, exponent] = value.toExponential().split('e');
  const power = Number(exponent);
  if (value !== 0 && (power < -4 || power >= 16)) {
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  const text = power < 0 ? value.toFixed(digits.replace(/\D/g, '').length - 1 - power) : String(value);
  return text.includes('.') ? text : `${text}.0`;
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** In single quotes, unless there are only such in the text. */
function quote(text: string): string {
  spend(text.length >> 4);
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  // What Python does not hold for printable: other, separators but the blank.
  const inside = text.replace(/[\\'"]|[^\P{C}]|[^\P{Z} ]/gu, (character) => {
    if (character === '"' || character === "'") return character === mark ? `\\${character}` : character;
    return escapes[character] ?? escapeCode(character.codePointAt(0)!);
  });
  return mark + inside + mark;
}

function escapeCode(code: number): string {
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}
