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
  if (items === undefined) return undefined;
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
 * @throws TemplateError for bounds that are no integers.
 */
export function slice(value: Value, start: Value, stop: Value, step: Value): Value {
  failIfUndefined(value);
  const items = indexed(value);
  // Jinja takes it for an element that is not there.
  if (items === undefined) return new Undefined(`${typeName(value)} object has no slices`);
  const places = slicePlaces(items.length, start, stop, step);
  if (value instanceof Range) return rangeSlice(value, places);
  spend(places.length >> 3);
  const { start: first, step: by, length } = places;
  const taken = Array.from({ length }, (_, i) => (items as ArrayLike<Value>)[first + i * by]);
  if (typeof value === 'string') return made(taken.join(''));
  return value instanceof Tuple ? new Tuple(taken) : taken;
}

interface Places {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
  readonly length: number;
}

const rangeSlice = (range: Range, { start, stop, step }: Places): Range =>
  new Range(range.start + start * range.step, range.start + stop * range.step, step * range.step);

/** As `slice.indices` of Python. */
function slicePlaces(size: number, start: Value, stop: Value, step: Value): Places {
  const by = bound(step) ?? 1;
  if (by === 0) fail('value', 'slice step cannot be zero');
  const [lowest, highest] = by > 0 ? [0, size] : [-1, size - 1];
  const clip = (place: number) => Math.max(lowest, Math.min(highest, place < 0 ? place + size : place));
  const [first, last] = [bound(start), bound(stop)];
  const from = first === undefined ? (by > 0 ? lowest : highest) : clip(first);
  const to = last === undefined ? (by > 0 ? highest : lowest) : clip(last);
  return { start: from, stop: to, step: by, length: Math.max(0, Math.ceil((to - from) / by)) };
}

const bound = (value: Value): number | undefined => (value === null ? undefined : integer(value));
