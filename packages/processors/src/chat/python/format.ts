import { fail } from '../fail';
import { repeatText } from '../limits';
import { length } from './characters';
import { print, printFloat, printInteger, represent } from './print';
import { asNumber, Dict, isList, Tuple, typeName, type Value } from './values';

const directive = /%(?:\(([^)]*)\))?([-+ #0]*)(\d+)?(?:\.(\d+))?(.?)/gsu;

/**
 * Python's `text % values`: %s, %r, %d, %i, %f, %x, %o and %% with their flags, widths and names.
 * @throws TemplateError for another directive, and for values that do not fit.
 */
export function formatText(text: string, values: Value): string {
  const list = values instanceof Tuple ? values.items : [values];
  let used = 0;
  const next = () =>
    used < list.length ? list[used++] : fail('type', 'not enough arguments for format string');
  const result = text.replace(directive, (_, name, flags, width, precision, type) => {
    if (type === '%') return '%';
    const value = name === undefined ? next() : named(values, name);
    return pad(write(value, type, flags, precision && Number(precision)), flags, Number(width ?? 0), type);
  });
  const left = used < list.length && !(values instanceof Dict || isList(values));
  return left ? fail('type', 'not all arguments converted during string formatting') : result;
}

function named(values: Value, name: string): Value {
  if (!(values instanceof Dict)) return fail('type', 'format requires a mapping');
  const value = values.get(name);
  return value === undefined ? fail('value', `KeyError: '${name}'`) : value;
}

function write(value: Value, type: string, flags: string, precision: number | undefined): string {
  if (type === 's' || type === 'r') {
    const text = type === 's' ? print(value) : represent(value);
    return precision === undefined ? text : [...text].slice(0, precision).join('');
  }
  const number = asNumber(value);
  if (number === undefined)
    return fail('type', `%${type} format: a number is required, not ${typeName(value)}`);
  const text = writeNumber(number, type, precision);
  if (text.startsWith('-')) return text;
  return flags.includes('+') ? `+${text}` : flags.includes(' ') ? ` ${text}` : text;
}

function writeNumber(number: bigint | number, type: string, precision = 6): string {
  switch (type) {
    case 'd':
    case 'i':
      return printInteger(typeof number === 'bigint' ? number : BigInt(Math.trunc(number)));
    case 'x':
      return BigInt(number).toString(16);
    case 'o':
      return BigInt(number).toString(8);
    case 'f':
      return fixed(Number(number), precision);
  }
  return fail('value', `unsupported format character '${type}'`);
}

/** With so many digits behind the point; halves go to the even digit, as everywhere in Python. */
export function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return printFloat(value);
  if (digits > 40) fail('value', 'more than 40 digits behind the point');
  const text = value.toFixed(digits);
  // A half is exact in binary only with few digits, so all of it shows in these.
  const exact = value.toFixed(Math.min(100, digits + 60));
  const isHalf = /^50*$/.test(exact.slice(exact.indexOf('.') + 1 + digits));
  const isOdd = Number(text[text.length - 1]) % 2 === 1;
  if (!isHalf || !isOdd) return text;
  // What toFixed rounded away from zero goes to the other side.
  return cut(exact, digits);
}

const cut = (exact: string, digits: number) => exact.slice(0, exact.indexOf('.') + (digits && digits + 1));

function pad(text: string, flags: string, width: number, type: string): string {
  const missing = width - length(text);
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + repeatText(' ', missing);
  if (!flags.includes('0') || 'sr'.includes(type)) return repeatText(' ', missing) + text;
  const sign = /^[-+ ]?/.exec(text)![0];
  return sign + repeatText('0', missing) + text.slice(sign.length);
}
