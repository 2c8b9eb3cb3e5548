import { fail } from '../fail';
import { joinTexts } from '../limits';
import { integer, text } from '../python/arguments';
import { calculate } from '../python/arithmetic';
import { getItem, pairs } from '../python/attributes';
import { equal, ordered } from '../python/compare';
import { print } from '../python/print';
import { length, slice } from '../python/sequence';
import {
  type Arguments,
  Dict,
  failIfUndefined,
  iterate,
  Lazy,
  Tuple,
  truthy,
  typeName,
  Undefined,
  type Value,
} from '../python/values';
import type { Filter } from './filters';
import { filters } from './filters';
import { tests } from './tests';
import { formatFilter } from './text-filters';

/** A list as a generator, as most filters of Jinja give it. */
const lazily = (items: Iterable<Value>): Lazy => new Lazy(items[Symbol.iterator]() as Iterator<Value>);

/** Reads `a.b.0` of each item; without a name, the item itself. */
function getter(attribute: Value, otherwise?: Value): (item: Value) => Value {
  if (attribute === null) return (item) => item;
  const parts = typeof attribute === 'string' ? attribute.split('.') : [attribute];
  const keys = parts.map((part) => (typeof part === 'string' && /^\d+$/.test(part) ? BigInt(part) : part));
  return (item) => {
    let value = item;
    for (const key of keys) {
      value = getItem(value, key);
      if (value instanceof Undefined && otherwise !== undefined) value = otherwise;
    }
    return value;
  };
}

/** What texts are ordered by unless case matters. */
const folded = (caseSensitive: Value) => (value: Value) =>
  typeof value === 'string' && !truthy(caseSensitive) ? value.toLowerCase() : value;

interface Keyed {
  readonly item: Value;
  readonly keys: readonly Value[];
}

function sorted(items: Iterable<Value>, keys: (item: Value) => readonly Value[], reverse: boolean): Value[] {
  const keyed: Keyed[] = [...items].map((item) => ({ item, keys: keys(item) }));
  const compare = (a: Keyed, b: Keyed) => {
    const differ = a.keys.findIndex((key, i) => !equal(key, b.keys[i]));
    if (differ < 0) return 0;
    return ordered(a.keys[differ], '<', b.keys[differ]) !== reverse ? -1 : 1;
  };
  return keyed.sort(compare).map(({ item }) => item);
}

function sort(value: Value, reverse: Value, caseSensitive: Value, attribute: Value): Value[] {
  const names = typeof attribute === 'string' ? attribute.split(',') : [attribute];
  const getters = names.map((name) => getter(name));
  const keys = (item: Value) => getters.map((get) => folded(caseSensitive)(get(item)));
  return sorted(iterate(value), keys, truthy(reverse));
}

function sortDict(value: Value, caseSensitive: Value, by: Value, reverse: Value): Value {
  if (by !== 'key' && by !== 'value') fail('value', 'You can only sort by either "key" or "value"');
  const at = by === 'key' ? 0 : 1;
  const key = (item: Value) => [folded(caseSensitive)((item as Tuple).items[at])];
  return sorted(pairs(dict(value)), key, truthy(reverse));
}

function dict(value: Value): Dict {
  failIfUndefined(value);
  return value instanceof Dict ? value : fail('type', `'${typeName(value)}' object is no mapping`);
}

const extreme = (order: '<' | '>'): Filter => ({
  parameters: 'case_sensitive attribute',
  run(value, caseSensitive = false, attribute = null) {
    const key = (item: Value) => folded(caseSensitive)(getter(attribute)(item));
    const items = [...iterate(value)];
    if (items.length === 0) return new Undefined('No aggregated item, sequence was empty.');
    return items.reduce((best, item) => (ordered(key(item), order, key(best)) ? item : best));
  },
});

function* unique(value: Value, caseSensitive: Value, attribute: Value): Generator<Value> {
  const seen = new Dict();
  const known = new Map<Value, true>();
  for (const item of iterate(value)) {
    const key = folded(caseSensitive)(getter(attribute)(item));
    // Looked up first, so that a key that Python cannot hash fails here, too.
    if (seen.has(key) || [...known.keys()].some((one) => equal(one, key))) continue;
    known.set(key, true);
    yield item;
  }
}

function groupBy(
  value: Value,
  attribute: Value,
  otherwise: Value | undefined,
  caseSensitive: Value,
): Value[] {
  const get = getter(attribute, otherwise);
  const key = (item: Value) => folded(caseSensitive)(get(item));
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(iterate(value), (one) => [key(one)], false)) {
    const last = groups[groups.length - 1];
    if (last && equal(last.key, key(item))) last.items.push(item);
    else groups.push({ key: key(item), items: [item] });
  }
  return groups.map(({ items }) => new Tuple([get(items[0]), items], ['grouper', 'list']));
}

function* batch(value: Value, size: number, filling: Value): Generator<Value> {
  let part: Value[] = [];
  for (const item of iterate(value)) {
    if (part.length === size) {
      yield part;
      part = [];
    }
    part.push(item);
  }
  if (part.length === 0) return;
  while (filling !== null && part.length < size) part.push(filling);
  yield part;
}

function* columns(value: Value, count: number, filling: Value): Generator<Value> {
  const items = [...iterate(value)];
  if (count <= 0) fail('value', 'integer division or modulo by zero');
  const [each, longer] = [Math.floor(items.length / count), items.length % count];
  let from = 0;
  for (let i = 0; i < count; i++) {
    const to = from + each + (i < longer ? 1 : 0);
    const part = items.slice(from, to);
    yield filling !== null && longer > 0 && i >= longer ? [...part, filling] : part;
    from = to;
  }
}

function reversed(value: Value): Value {
  if (typeof value === 'string') return slice(value, null, null, -1n);
  const items = [...iterate(value)].reverse();
  return value instanceof Lazy ? items : lazily(items);
}

function* items(value: Value): Generator<Value> {
  if (!(value instanceof Undefined)) yield* pairs(dict(value));
}

const count: Filter = { parameters: '', run: (value) => BigInt(length(value)) };

export const listFilters: Readonly<Record<string, Filter>> = {
  batch: {
    parameters: 'linecount fill_with',
    required: 1,
    run: (value, size, filling = null) => lazily(batch(value, integer(size!), filling)),
  },
  count,
  dictsort: {
    parameters: 'case_sensitive by reverse',
    run: (value, caseSensitive = false, by = 'key', reverse = false) =>
      sortDict(value, caseSensitive, by, reverse),
  },
  first: {
    parameters: '',
    run(value) {
      for (const item of iterate(value)) return item;
      return new Undefined('No first item, sequence was empty.');
    },
  },
  groupby: {
    parameters: 'attribute default case_sensitive',
    required: 1,
    run: (value, attribute, otherwise, caseSensitive = false) =>
      groupBy(value, attribute!, otherwise === null ? undefined : otherwise, caseSensitive),
  },
  items: {
    parameters: '',
    run: (value) => lazily(items(value)),
  },
  join: {
    parameters: 'd attribute',
    run(value, separator = '', attribute = null) {
      return joinTexts([...iterate(value)].map(getter(attribute)).map(print), print(separator));
    },
  },
  last: {
    parameters: '',
    run(value) {
      if (value instanceof Lazy) return fail('type', "'generator' object is not reversible");
      const last = [...iterate(value)].pop();
      return last === undefined ? new Undefined('No last item, sequence was empty.') : last;
    },
  },
  length: count,
  list: { parameters: '', run: (value) => [...iterate(value)] },
  max: extreme('>'),
  min: extreme('<'),
  reverse: { parameters: '', run: reversed },
  slice: {
    parameters: 'slices fill_with',
    required: 1,
    run: (value, parts, filling = null) => lazily(columns(value, integer(parts!), filling)),
  },
  sort: {
    parameters: 'reverse case_sensitive attribute',
    run: (value, reverse = false, caseSensitive = false, attribute = null) =>
      sort(value, reverse, caseSensitive, attribute),
  },
  sum: {
    parameters: 'attribute start',
    run: (value, attribute = null, start = 0n) =>
      [...iterate(value)].map(getter(attribute)).reduce((sum, item) => calculate(sum, '+', item), start),
  },
  unique: {
    parameters: 'case_sensitive attribute',
    run: (value, caseSensitive = false, attribute = null) => lazily(unique(value, caseSensitive, attribute)),
  },
};

/** `select`, `reject` and, by an attribute of each item, `selectattr` and `rejectattr`. */
const selecting = (byAttribute: boolean, wanted: boolean) => (value: Value, args: Arguments) => {
  const [attribute, ...behind] = byAttribute ? args.positional : [null, ...args.positional];
  if (attribute === undefined) return fail('type', 'Missing parameter for attribute name');
  const [name, ...positional] = behind;
  const get = getter(attribute);
  const holds = (item: Value) =>
    name === undefined ? truthy(item) : tests.run(text(name), item, { positional, named: args.named });
  return lazily(kept(value, (item) => holds(get(item)) === wanted));
};

function* kept(value: Value, keep: (item: Value) => boolean): Generator<Value> {
  // Jinja looks into nothing that counts as false, be it a list or not.
  if (!truthy(value)) return;
  for (const item of iterate(value)) if (keep(item)) yield item;
}

function* mapped(value: Value, turn: (item: Value) => Value): Generator<Value> {
  if (!truthy(value)) return;
  for (const item of iterate(value)) yield turn(item);
}

/** By an attribute, or by another filter. */
function map(value: Value, { positional, named }: Arguments): Value {
  const [name, ...rest] = positional;
  if (name !== undefined) {
    return lazily(mapped(value, (item) => filters.run(text(name), item, { positional: rest, named })));
  }
  for (const key of named.keys()) {
    if (key !== 'attribute' && key !== 'default') fail('value', `Unexpected keyword argument '${key}'`);
  }
  const attribute = named.get('attribute');
  if (attribute === undefined) return fail('value', 'map requires a filter argument');
  return lazily(mapped(value, getter(attribute, named.get('default'))));
}

/** Filters whose arguments belong to another filter or test, or to a text. */
export const selectFilters: Readonly<Record<string, (value: Value, args: Arguments) => Value>> = {
  format: (value, { positional, named }) => formatFilter(value, positional, named),
  map,
  reject: selecting(false, false),
  rejectattr: selecting(true, false),
  select: selecting(false, true),
  selectattr: selecting(true, true),
};
