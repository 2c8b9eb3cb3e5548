import { fail } from '../fail';
import { made, repeatText, spend, spendText } from '../limits';
import { formatText } from './format';
import { asNumber, failIfUndefined, isList, Tuple, typeName, type Value } from './values';

export type Operator = '+' | '-' | '*' | '/' | '//' | '%' | '**';

/** Digits of an integer that a template may reach, in bits. */
const maxBits = 1 << 16;
/** The most elements of a list that a template makes. */
const maxElements = 1e6;

/** @throws TemplateError for operands that Python has no such operation for. */
export function calculate(a: Value, operator: Operator, b: Value): Value {
  const [x, y] = [asNumber(a), asNumber(b)];
  if (x !== undefined && y !== undefined) {
    if (typeof x === 'bigint' && typeof y === 'bigint') return ofIntegers(x, operator, y);
    return ofFloats(toFloat(x), operator, toFloat(y));
  }
  if (typeof a === 'string' && operator === '%') return made(formatText(a, b));
  failIfUndefined(a);
  failIfUndefined(b);
  const result = operator === '+' ? joined(a, b) : operator === '*' ? repeated(a, b) : undefined;
  return (
    result ??
    fail('type', `unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`)
  );
}

function joined(a: Value, b: Value): Value | undefined {
  if (typeof a === 'string' && typeof b === 'string') {
    spendText(a.length + b.length);
    return a + b;
  }
  if (isList(a) && isList(b)) return limitedList([a, b]);
  if (a instanceof Tuple && b instanceof Tuple) return new Tuple(limitedList([a.items, b.items]));
  return undefined;
}

function repeated(a: Value, b: Value): Value | undefined {
  const [thing, times] = typeof asNumber(a) === 'bigint' ? [b, asNumber(a)] : [a, asNumber(b)];
  if (typeof times !== 'bigint') return undefined;
  const count = times > 0n ? Number(times) : 0;
  if (typeof thing === 'string') return repeatText(thing, count);
  const items = isList(thing) ? thing : thing instanceof Tuple ? thing.items : undefined;
  if (!items) return undefined;
  const lists = items.length > 0 ? limitedList({ length: count, item: items }) : [];
  return isList(thing) ? lists : new Tuple(lists);
}

/** Lists one behind the other. */
function limitedList(lists: (readonly Value[])[] | { length: number; item: readonly Value[] }): Value[] {
  const many = Array.isArray(lists)
    ? lists.reduce((sum, { length }) => sum + length, 0)
    : lists.length * lists.item.length;
  if (many > maxElements) fail('limit', `a list of more than ${maxElements} elements`);
  spend(many);
  if (Array.isArray(lists)) return lists.flat() as Value[];
  const { item } = lists;
  return Array.from({ length: many }, (_, i) => item[i % item.length]);
}

const bits = (x: bigint): number => (x < 0n ? -x : x).toString(16).length * 4;

function ofIntegers(x: bigint, operator: Operator, y: bigint): Value {
  switch (operator) {
    case '+':
      return limitedInteger(x + y);
    case '-':
      return limitedInteger(x - y);
    case '*':
      return limitedInteger(x * y);
    case '**':
      return integerPower(x, y);
  }
  if (y === 0n) fail('value', operator === '/' ? 'division by zero' : 'integer division or modulo by zero');
  if (operator === '/') return Number(x) / Number(y);
  const remainder = ((x % y) + y) % y;
  return operator === '%' ? remainder : (x - remainder) / y;
}

const bound = 1n << BigInt(maxBits);

function limitedInteger(x: bigint): bigint {
  if (x > bound || x < -bound) fail('limit', `an integer of more than ${maxBits} bits`);
  return x;
}

function integerPower(x: bigint, y: bigint): Value {
  if (y < 0n) return ofFloats(toFloat(x), '**', toFloat(y));
  if (x >= -1n && x <= 1n) return x === -1n && y % 2n === 0n ? 1n : y === 0n ? 1n : x;
  if (Number(y) * bits(x) > 4 * maxBits) fail('limit', `an integer of more than ${maxBits} bits`);
  return limitedInteger(x ** y);
}

function ofFloats(x: number, operator: Operator, y: number): Value {
  switch (operator) {
    case '+':
      return x + y;
    case '-':
      return x - y;
    case '*':
      return x * y;
    case '**':
      return floatPower(x, y);
  }
  if (y === 0) fail('value', 'float division by zero');
  if (operator === '/') return x / y;
  const remainder = floatRemainder(x, y);
  return operator === '%' ? remainder : Math.round((x - remainder) / y);
}

/** Has the sign of the divisor. */
function floatRemainder(x: number, y: number): number {
  const remainder = x % y;
  if (remainder === 0) return y < 0 ? -0 : 0;
  return remainder < 0 !== y < 0 ? remainder + y : remainder;
}

function floatPower(x: number, y: number): number {
  if (x === 0 && y < 0) fail('value', '0.0 cannot be raised to a negative power');
  const power = x ** y;
  if (Number.isFinite(x) && Number.isFinite(y) && !Number.isFinite(power))
    fail('value', 'the power is out of range');
  return power;
}

function toFloat(x: bigint | number): number {
  const float = Number(x);
  if (typeof x === 'bigint' && !Number.isFinite(float)) fail('value', 'int too large to convert to float');
  return float;
}

/** `-value` and `+value`. */
export function signed(operator: '+' | '-', value: Value): Value {
  const number = asNumber(value);
  if (number !== undefined) return operator === '-' ? -number : number;
  failIfUndefined(value);
  return fail('type', `bad operand type for unary ${operator}: '${typeName(value)}'`);
}
