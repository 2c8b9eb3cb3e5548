import { fail } from '../fail';
import { made, spend } from '../limits';
import { integer } from './arguments';
import { characters, length as textLength } from './characters';
import {
  Dict,
  DictView,
  failIfUndefined,
  isList,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values';

/** Python's `len(value)`. @throws TemplateError for a value without length. */
export function length(value: Value): number {
  if (typeof value === 'string') return textLength(value);
  if (isList(value) || value instanceof Range) return value.length;
  if (value instanceof Tuple || value instanceof DictView) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof Undefined && value.kind === 'undefined') return 0;
  failIfUndefined(value);
  return fail('type', `object of type '${typeName(value)}' has no len()`);
}

/** The element at a place that may be counted from the end; `undefined` where there is none, or none such a thing. */
export function elementAt(value: Value, index: bigint): Value | undefined {
  const items = indexed(value);
  if (!items) return undefined;
  const at = Number(index < 0n ? index + BigInt(items.length) : index);
  if (at < 0 || at >= items.length) return undefined;
  return value instanceof Range ? value.at(at) : (items as ArrayLike<Value>)[at];
}

function indexed(value: Value): ArrayLike<Value> | Range | undefined {
  if (typeof value === 'string') return characters(value);
  if (isList(value) || value instanceof Range) return value as ArrayLike<Value> | Range;
  return value instanceof Tuple ? value.items : undefined;
}

/**
 * Python's `value[start:stop:step]`.
 * @throws TemplateError for a value that has no slices, and for bounds that are no integers.
 */
export function slice(value: Value, start: Value, stop: Value, step: Value): Value {
  failIfUndefined(value);
  const items = indexed(value);
  if (!items) return fail('type', `'${typeName(value)}' object is not subscriptable`);
  const places = slicePlaces(items.length, start, stop, step);
  spend(places.length >> 3);
  const at = (place: number) =>
    value instanceof Range ? value.at(place) : (items as ArrayLike<Value>)[place];
  const taken = Array.from({ length: places.length }, (_, i) => at(places.start + i * places.step));
  if (typeof value === 'string') return made(taken.join(''));
  return value instanceof Tuple ? new Tuple(taken) : taken;
}

/** As `slice.indices` of Python. */
function slicePlaces(size: number, start: Value, stop: Value, step: Value) {
  const by = bound(step) ?? 1;
  if (by === 0) fail('value', 'slice step cannot be zero');
  const [lowest, highest] = by > 0 ? [0, size] : [-1, size - 1];
  const clip = (place: number) => Math.max(lowest, Math.min(highest, place < 0 ? place + size : place));
  const [first, last] = [bound(start), bound(stop)];
  const from = first === undefined ? (by > 0 ? lowest : highest) : clip(first);
  const to = last === undefined ? (by > 0 ? highest : lowest) : clip(last);
  return { start: from, step: by, length: Math.max(0, Math.ceil((to - from) / by)) };
}

const bound = (value: Value): number | undefined => (value === null ? undefined : integer(value));
