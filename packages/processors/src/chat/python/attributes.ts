import { fail } from '../fail';
import { bind } from './arguments';
import { formatBraces } from './braces';
import { contains, equal } from './compare';
import { represent } from './print';
import { elementAt } from './sequence';
import { textMethods } from './text-methods';
import {
  type Arguments,
  Callable,
  Dict,
  DictView,
  failIfUndefined,
  isList,
  iterate,
  Namespace,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values';

// A template reaches nothing of JavaScript: names are looked up in these tables and maps, never on an object.

/**
 * `value.name`: what Python's class has of that name, else the element of that key. So `dict.items` is the method,
 * whatever the dict holds.
 * @throws TemplateError for an attribute of something undefined.
 */
export function getAttribute(value: Value, name: string): Value {
  failIfUndefined(value);
  const attribute = builtin(value, name);
  if (attribute !== undefined) return attribute;
  const item = value instanceof Dict ? value.get(name) : undefined;
  return item === undefined ? missing(value, name) : item;
}

/**
 * `value[key]`: the element, else what Python's class has of that name.
 * @throws TemplateError for an element of something undefined.
 */
export function getItem(value: Value, key: Value): Value {
  failIfUndefined(value);
  const item = element(value, key);
  if (item !== undefined) return item;
  const attribute = typeof key === 'string' ? builtin(value, key) : undefined;
  return attribute === undefined ? missing(value, key) : attribute;
}

function element(value: Value, key: Value): Value | undefined {
  if (value instanceof Dict) {
    const hashable = !isList(key) && !(key instanceof Dict);
    return hashable ? value.get(key) : undefined;
  }
  const index = typeof key === 'boolean' ? BigInt(key) : key;
  return typeof index === 'bigint' ? elementAt(value, index) : undefined;
}

function missing(value: Value, name: Value): Undefined {
  if (value instanceof Undefined) return value;
  const type = value === null ? 'None' : `${typeName(value)} object`;
  if (typeof name !== 'string') return new Undefined(`${type} has no element ${represent(name)}`);
  return new Undefined(`'${type}' has no attribute '${name}'`);
}

/** A method or another attribute of its class. */
function builtin(value: Value, name: string): Value | undefined {
  if (/^__.*__$/.test(name) || forbidden(value).includes(name)) {
    return new Undefined(
      `access to attribute '${name}' of '${typeName(value)}' object is unsafe.`,
      'security',
    );
  }
  if (value instanceof Namespace || value instanceof Callable) return value.attributes.get(name);
  if (value instanceof Tuple && value.names.includes(name)) return value.items[value.names.indexOf(name)];
  const run = method(value, name);
  return run && new Callable(name, 'method', run);
}

/** What would change a value, which the immutable sandbox of transformers refuses. */
function forbidden(value: Value): readonly string[] {
  if (value instanceof Dict) return ['clear', 'pop', 'popitem', 'setdefault', 'update'];
  return isList(value) ? ['append', 'clear', 'extend', 'insert', 'pop', 'remove', 'reverse', 'sort'] : [];
}

type Run = (args: Arguments) => Value;

function method(value: Value, name: string): Run | undefined {
  if (typeof value === 'string') return textMethod(value, name);
  if (value instanceof Dict) return own(dictMethods(value), name);
  if (isList(value) || value instanceof Tuple) {
    return own(listMethods(value), name);
  }
  return typeof value === 'number' && name === 'is_integer' ? () => Number.isInteger(value) : undefined;
}

const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

function textMethod(self: string, name: string): Run | undefined {
  if (name === 'format') return (args) => formatBraces(self, args);
  const found = own(textMethods, name);
  return found && ((args) => found.run(self, ...bind(name, found.parameters, args, found.required)));
}

const dictMethods = (dict: Dict): Readonly<Record<string, Run>> => ({
  copy: () => dict,
  get(args) {
    const [key, otherwise = null] = bind('get', ['key', 'default'], args, 1);
    const value = dict.get(key!);
    return value === undefined ? otherwise : value;
  },
  items: () => new DictView('dict_items', pairs(dict)),
  keys: () => new DictView('dict_keys', dict.keys()),
  values: () =>
    new DictView(
      'dict_values',
      dict.entries().map(([, value]) => value),
    ),
});

/** Keys and values, as a loop takes them. */
export const pairs = (dict: Dict): Tuple[] => dict.entries().map((entry) => new Tuple(entry));

const listMethods = (self: Value): Readonly<Record<string, Run>> => ({
  ...(isList(self) && { copy: () => self }),
  count(args) {
    const [item] = bind('count', ['value'], args, 1);
    return BigInt([...iterate(self)].filter((one) => equal(one, item!)).length);
  },
  index(args) {
    const [item] = bind('index', ['value'], args, 1);
    if (!contains(self, item!)) fail('value', `${represent(item!)} is not in list`);
    return BigInt([...iterate(self)].findIndex((one) => equal(one, item!)));
  },
});
