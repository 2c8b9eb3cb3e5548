import { fail } from '../fail';
import { made, spend } from '../limits';

/**
 * The values of Python that a template can meet. Those that JavaScript has stand for themselves: `null` is None, a
 * boolean a bool, a `bigint` an int, a `number` a float, a string a str and an array a list. No template can change a
 * list or a dict (transformers renders in an immutable sandbox), so they are shared freely.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | readonly Value[]
  | Tuple
  | Dict
  | DictView
  | Range
  | Lazy
  | Namespace
  | Undefined
  | Callable
  | Opaque;

export class Tuple {
  constructor(
    readonly items: readonly Value[],
    /** Names of the items, of a named tuple. */
    readonly names: readonly string[] = [],
  ) {}
}

/** What is looked up in a map for a key: keys that are equal in Python are the same. */
type Hash = unknown;

export class Dict {
  readonly #entries = new Map<Hash, readonly [key: Value, value: Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) {
      const known = hash(key);
      // The first of equal keys stays, with the last of their values.
      this.#entries.set(known, [this.#entries.get(known)?.[0] ?? key, value]);
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: Value): boolean {
    return this.#entries.has(hash(key));
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(hash(key))?.[1];
  }

  entries(): (readonly [Value, Value])[] {
    return [...this.#entries.values()];
  }

  keys(): Value[] {
    return this.entries().map(([key]) => key);
  }
}

/** `dict.items()` and its like. */
export class DictView {
  constructor(
    readonly type: 'dict_keys' | 'dict_values' | 'dict_items',
    readonly items: readonly Value[],
  ) {}
}

export class Range {
  constructor(
    readonly start: number,
    readonly stop: number,
    readonly step: number,
  ) {}

  get length(): number {
    return Math.max(0, Math.ceil((this.stop - this.start) / this.step));
  }

  at(index: number): bigint {
    return BigInt(this.start + index * this.step);
  }
}

/** A generator: can be gone through once, and has no length. */
export class Lazy {
  constructor(readonly iterator: Iterator<Value>) {}
}

export class Namespace {
  readonly attributes = new Map<string, Value>();
}

/** What is not there. Prints as nothing, and fails where its value is needed. */
export class Undefined {
  constructor(
    readonly reason: string,
    readonly kind: 'undefined' | 'security' = 'undefined',
  ) {}
}

/** Arguments of a call. */
export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** A function, a method or a macro. */
export class Callable {
  constructor(
    readonly name: string,
    readonly type: 'function' | 'method' | 'Macro',
    readonly call: (args: Arguments) => Value,
    /** Values that it holds. */
    readonly attributes: ReadonlyMap<string, Value> = new Map(),
  ) {}
}

/** Something of the caller's that a template can pass on and test, but not look into: a picture, a function. */
export class Opaque {}

/** @throws TemplateError for a list or a dict. */
function hash(key: Value): Hash {
  switch (typeof key) {
    case 'boolean':
      return BigInt(key);
    case 'number':
      return Number.isInteger(key) ? BigInt(key) : key;
    case 'string':
      return key.startsWith('\0') ? `\0${key}` : key;
  }
  if (key instanceof Tuple) return hashTuple(key);
  if (isList(key) || key instanceof Dict) return fail('type', `unhashable type: '${typeName(key)}'`);
  return key instanceof Undefined ? Undefined : key;
}

/** A text that equal tuples share, and no str has. */
function hashTuple({ items }: Tuple): string {
  const parts = items.map((item) => {
    const part = hash(item);
    if (typeof part === 'object' && part !== null)
      return fail('type', 'a tuple as a key may hold plain values only');
    return `${typeof part} ${String(part).length} ${String(part)}`;
  });
  return made(`\0(${parts.join()}`);
}

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);

/** The name of its class. */
export function typeName(value: Value): string {
  switch (typeof value) {
    case 'string':
      return 'str';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float';
    case 'boolean':
      return 'bool';
  }
  if (value === null) return 'NoneType';
  if (isList(value)) return 'list';
  if (value instanceof DictView || value instanceof Callable) return value.type;
  const name = classNames.find(([type]) => value instanceof type);
  return name ? name[1] : 'object';
}

const classNames = [
  [Tuple, 'tuple'],
  [Dict, 'dict'],
  [Range, 'range'],
  [Lazy, 'generator'],
  [Namespace, 'Namespace'],
  [Undefined, 'Undefined'],
] as const;

/** Whether an `if` takes it. */
export function truthy(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (typeof value !== 'object') return Boolean(value);
  if (isList(value)) return value.length > 0;
  if (value instanceof Tuple || value instanceof DictView) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  return value instanceof Range ? value.length > 0 : true;
}

/**
 * Goes through the elements of a value.
 * @throws TemplateError for a value that has none.
 */
export function* iterate(value: Value): Generator<Value> {
  for (const item of elements(value)) {
    spend();
    yield item;
  }
}

function elements(value: Value): Iterable<Value> {
  if (typeof value === 'string' || isList(value)) return value;
  if (value instanceof Tuple || value instanceof DictView) return value.items;
  if (value instanceof Dict) return value.keys();
  if (value instanceof Range) return countUp(value);
  if (value instanceof Lazy) return { [Symbol.iterator]: () => value.iterator };
  if (value instanceof Undefined && value.kind === 'undefined') return [];
  failIfUndefined(value);
  return fail('type', `'${typeName(value)}' object is not iterable`);
}

function* countUp(range: Range): Generator<Value> {
  for (let i = 0; i < range.length; i++) yield range.at(i);
}

/** Whether `iterate` takes it. */
export function isIterable(value: Value): boolean {
  if (typeof value === 'string') return true;
  if (typeof value !== 'object' || value === null) return false;
  return !(value instanceof Namespace || value instanceof Callable || value instanceof Opaque);
}

/** @throws TemplateError if it is undefined. */
export function failIfUndefined(value: Value): void {
  if (value instanceof Undefined) fail(value.kind, value.reason);
}

/** The number of a bool, an int or a float. */
export function asNumber(value: Value): bigint | number | undefined {
  if (typeof value === 'boolean') return BigInt(value);
  return typeof value === 'bigint' || typeof value === 'number' ? value : undefined;
}
