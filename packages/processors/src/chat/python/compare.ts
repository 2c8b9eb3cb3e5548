import { fail } from '../fail';
import { spend } from '../limits';
import { compareTexts } from './characters';
import {
  asNumber,
  Dict,
  DictView,
  failIfUndefined,
  isList,
  iterate,
  Lazy,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values';

/** Python's `==`. */
export function equal(a: Value, b: Value): boolean {
  spend();
  if (a === b) return true;
  const [x, y] = [asNumber(a), asNumber(b)];
  // biome-ignore lint/suspicious/noDoubleEquals: compares an int with a float exactly
  if (x !== undefined && y !== undefined) return x == y;
  if (a instanceof Undefined) return b instanceof Undefined;
  if (a instanceof Tuple && b instanceof Tuple) return sameItems(a.items, b.items);
  if (a instanceof Range && b instanceof Range) return sameItems([...iterate(a)], [...iterate(b)]);
  if (a instanceof Dict && b instanceof Dict) return sameEntries(a, b);
  if (a === null || b === null || typeof a === 'string' || typeof b === 'string') return false;
  return isList(a) && isList(b) && sameItems(a, b);
}

const sameItems = (a: readonly Value[], b: readonly Value[]): boolean =>
  a.length === b.length && a.every((item, i) => equal(item, b[i]));

const sameEntries = (a: Dict, b: Dict): boolean =>
  a.size === b.size && a.entries().every(([key, value]) => b.has(key) && equal(value, b.get(key)!));

export type Order = '<' | '<=' | '>' | '>=';

/**
 * Python's order of numbers, of texts and of lists.
 * @throws TemplateError for values that have no order.
 */
export function ordered(a: Value, operator: Order, b: Value): boolean {
  spend();
  const [x, y] = [asNumber(a), asNumber(b)];
  if (x !== undefined && y !== undefined) return holds(operator, x, y);
  if (typeof a === 'string' && typeof b === 'string') return holds(operator, compareTexts(a, b), 0);
  if (isList(a) && isList(b)) return orderedItems(a, operator, b);
  if (a instanceof Tuple && b instanceof Tuple) return orderedItems(a.items, operator, b.items);
  failIfUndefined(a);
  failIfUndefined(b);
  const types = `'${typeName(a)}' and '${typeName(b)}'`;
  return fail('type', `'${operator}' not supported between instances of ${types}`);
}

function orderedItems(a: readonly Value[], operator: Order, b: readonly Value[]): boolean {
  const first = a.findIndex((item, i) => i >= b.length || !equal(item, b[i]));
  if (first >= 0 && first < b.length) return ordered(a[first], operator, b[first]);
  return holds(operator, a.length, b.length);
}

function holds(operator: Order, x: bigint | number, y: bigint | number): boolean {
  switch (operator) {
    case '<':
      return x < y;
    case '<=':
      return x <= y;
    case '>':
      return x > y;
    case '>=':
      return x >= y;
  }
}

/** Python's `item in container`. */
export function contains(container: Value, item: Value): boolean {
  if (typeof container === 'string') {
    if (typeof item === 'string') return container.includes(item);
    failIfUndefined(item);
    return fail('type', `'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof Undefined && container.kind === 'undefined') return false;
  const canSearch =
    isList(container) || [Tuple, DictView, Range, Lazy, Undefined].some((type) => container instanceof type);
  if (!canSearch) fail('type', `argument of type '${typeName(container)}' is not iterable`);
  for (const element of iterate(container)) if (equal(element, item)) return true;
  return false;
}
