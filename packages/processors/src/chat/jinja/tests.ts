import { fail } from '../fail';
import { integer } from '../python/arguments';
import { calculate } from '../python/arithmetic';
import { contains, equal, type Order, ordered } from '../python/compare';
import { print } from '../python/print';
import { isLower, isUpper } from '../python/text-methods';
import {
  type Arguments,
  asNumber,
  Callable,
  Dict,
  isIterable,
  isList,
  Range,
  Tuple,
  Undefined,
  type Value,
} from '../python/values';
import { filters } from './filters';
import { Table } from './table';

type Test = (value: Value, args: readonly Value[]) => boolean;

const compared =
  (order: Order): Test =>
  (value, [other]) =>
    ordered(value, order, other);

const isRemainder = (value: Value, by: bigint, remainder: bigint) =>
  equal(calculate(value, '%', by), remainder);

const isEqual: Test = (value, [other]) => equal(value, other);
const isDifferent: Test = (value, [other]) => !equal(value, other);

/** Tests with one argument, and tests with none. */
const withOne: Readonly<Record<string, Test>> = {
  divisibleby: (value, [by]) => isRemainder(value, BigInt(integer(by)), 0n),
  eq: isEqual,
  equalto: isEqual,
  '==': isEqual,
  ne: isDifferent,
  '!=': isDifferent,
  lt: compared('<'),
  lessthan: compared('<'),
  '<': compared('<'),
  le: compared('<='),
  '<=': compared('<='),
  gt: compared('>'),
  greaterthan: compared('>'),
  '>': compared('>'),
  ge: compared('>='),
  '>=': compared('>='),
  in: (value, [container]) => contains(container, value),
  sameas: (value, [other]) => value === other,
};

const plain: Readonly<Record<string, Test>> = {
  boolean: (value) => typeof value === 'boolean',
  callable: (value) => value instanceof Callable || value instanceof Undefined,
  defined: (value) => !(value instanceof Undefined),
  escaped: () => false,
  even: (value) => isRemainder(value, 2n, 0n),
  false: (value) => value === false,
  filter: (value) => typeof value === 'string' && filters.has(value),
  float: (value) => typeof value === 'number',
  integer: (value) => typeof value === 'bigint',
  iterable: isIterable,
  lower: (value) => isLower(print(value)),
  mapping: (value) => value instanceof Dict,
  none: (value) => value === null,
  number: (value) => asNumber(value) !== undefined,
  odd: (value) => isRemainder(value, 2n, 1n),
  sequence: (value) =>
    typeof value === 'string' ||
    isList(value) ||
    [Tuple, Dict, Range, Undefined].some((type) => value instanceof type),
  string: (value) => typeof value === 'string',
  test: (value) => typeof value === 'string' && tests.has(value),
  true: (value) => value === true,
  undefined: (value) => value instanceof Undefined,
  upper: (value) => isUpper(print(value)),
};

const counted =
  (name: string, count: number, test: Test) =>
  (value: Value, { positional, named }: Arguments): boolean => {
    const args = [...positional, ...named.values()];
    if (args.length !== count)
      fail('type', `the test '${name}' takes ${count} arguments, not ${args.length}`);
    return test(value, args);
  };

/** The tests of Jinja (jinja2/tests.py). */
export const tests: Table<boolean> = new Table('test', {
  ...Object.fromEntries(Object.entries(plain).map(([name, test]) => [name, counted(name, 0, test)])),
  ...Object.fromEntries(Object.entries(withOne).map(([name, test]) => [name, counted(name, 1, test)])),
});
