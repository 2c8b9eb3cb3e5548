import { fail } from '../fail';
import { integer, text } from '../python/arguments';
import { getAttribute } from '../python/attributes';
import { fixed } from '../python/format';
import { dumps } from '../python/json';
import { print } from '../python/print';
import { asNumber, failIfUndefined, iterate, truthy, Undefined, type Value } from '../python/values';
import type { Filter } from './filters';

const orDefault: Filter = {
  parameters: 'default_value boolean',
  run: (value, otherwise = '', boolean = false) =>
    value instanceof Undefined || (truthy(boolean) && !truthy(value)) ? otherwise : value,
};

/** `tojson` of transformers, not of Jinja: it escapes no HTML. */
const tojson: Filter = {
  parameters: 'ensure_ascii indent separators sort_keys',
  run(value, ascii = false, indent = null, separators = null, sortKeys = false) {
    return dumps(value, {
      ascii: truthy(ascii),
      indent: indentation(indent),
      separators: separators === null ? [indent === null ? ', ' : ',', ': '] : pair(separators),
      sortKeys: truthy(sortKeys),
    });
  },
};

function indentation(indent: Value): string | undefined {
  if (indent === null) return undefined;
  if (typeof indent === 'string') return indent;
  const width = integer(indent);
  return width > 1000
    ? fail('limit', 'an indentation of more than 1000 blanks')
    : ' '.repeat(Math.max(0, width));
}

function pair(separators: Value): [string, string] {
  const [item, key, ...more] = [...iterate(separators)].map(text);
  return key === undefined || more.length > 0 ? fail('value', 'separators are two texts') : [item, key];
}

const number = /^\s*[-+]?(?:\d[\d_]*)\s*$/;
const decimal = /^\s*[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*$|^\s*[-+]?(?:inf(?:inity)?|nan)\s*$/i;

function toInteger(value: Value, base: number): bigint | undefined {
  if (typeof value === 'string' && (base !== 10 || number.test(value))) return parseInteger(value, base);
  const float = typeof value === 'string' ? toFloat(value) : asNumber(value);
  if (typeof float === 'bigint' || float === undefined) return float;
  return Number.isFinite(float) ? BigInt(Math.trunc(float)) : undefined;
}

function parseInteger(value: string, base: number): bigint | undefined {
  const digits = value.replaceAll('_', '').trim().toLowerCase();
  if (base === 10) return BigInt(digits.replace('+', ''));
  const prefix = { 2: '0b', 8: '0o', 16: '0x' }[base];
  const parsed = Number.parseInt(prefix && digits.startsWith(prefix) ? digits.slice(2) : digits, base);
  return Number.isSafeInteger(parsed) ? BigInt(parsed) : undefined;
}

function toFloat(value: Value): number | undefined {
  if (typeof value !== 'string') return value === null ? undefined : numberOf(value);
  if (!decimal.test(value)) return undefined;
  const plain = value.replaceAll('_', '').trim().toLowerCase();
  if (plain.includes('nan')) return Number.NaN;
  return plain.includes('inf') ? (plain.startsWith('-') ? -1 : 1) * Number.POSITIVE_INFINITY : Number(plain);
}

function numberOf(value: Value): number | undefined {
  const found = asNumber(value);
  return found === undefined ? undefined : Number(found);
}

function absolute(value: Value): Value {
  const found = asNumber(value);
  failIfUndefined(value);
  if (found === undefined) return fail('type', 'abs() needs a number');
  return found < 0 ? -found : found;
}

function round(value: Value, precision: number, method: string): Value {
  if (!['common', 'ceil', 'floor'].includes(method)) fail('value', 'method must be common, ceil or floor');
  const found = asNumber(value);
  failIfUndefined(value);
  if (found === undefined) return fail('type', 'round() needs a number');
  if (method === 'common' && typeof found === 'bigint' && precision >= 0) return found;
  const scale = 10 ** precision;
  if (method !== 'common') return Math[method as 'ceil' | 'floor'](Number(found) * scale) / scale;
  return precision < 0 ? Math.round(Number(found) * scale) / scale : Number(fixed(Number(found), precision));
}

export const valueFilters: Readonly<Record<string, Filter>> = {
  abs: { parameters: '', run: absolute },
  attr: {
    parameters: 'name',
    required: 1,
    run: (value, name) => getAttribute(value, print(name!)),
  },
  d: orDefault,
  default: orDefault,
  float: {
    parameters: 'default',
    run(value, otherwise = 0) {
      failIfUndefined(value);
      return toFloat(value) ?? otherwise;
    },
  },
  int: {
    parameters: 'default base',
    run(value, otherwise = 0n, base = 10n) {
      failIfUndefined(value);
      return toInteger(value, integer(base)) ?? otherwise;
    },
  },
  round: {
    parameters: 'precision method',
    run: (value, precision = 0n, method = 'common') => round(value, integer(precision), text(method)),
  },
  // Nothing is escaped on the way out, so a text is as safe as any.
  safe: { parameters: '', run: (value) => print(value) },
  string: { parameters: '', run: (value) => print(value) },
  tojson,
};
