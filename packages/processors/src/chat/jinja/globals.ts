import { fail } from '../fail';
import { bind, integer, text } from '../python/arguments';
import { print } from '../python/print';
import { length } from '../python/sequence';
import { type Arguments, Callable, Dict, iterate, Namespace, Range, type Value } from '../python/values';
import { strftime } from './strftime';

/** The sandbox of Jinja has no longer ranges. */
const maxRange = 100000;

function range(args: Arguments): Range {
  const [first, second, third] = bind('range', ['start', 'stop', 'step'], args, 1);
  const [start, stop] = second === undefined ? [0, integer(first!)] : [integer(first!), integer(second)];
  const step = third === undefined ? 1 : integer(third);
  if (step === 0) fail('value', 'range() arg 3 must not be zero');
  const made = new Range(start, stop, step);
  return made.length <= maxRange
    ? made
    : fail('limit', `Range too big. The sandbox blocks ranges larger than ${maxRange}.`);
}

/** A dict, or pairs, and names. */
function entries({ positional, named }: Arguments): [Value, Value][] {
  const [source] = positional;
  const pairs =
    source instanceof Dict ? source.entries() : source === undefined ? [] : [...iterate(source)].map(pair);
  return [...(pairs as [Value, Value][]), ...named];
}

function pair(value: Value): [Value, Value] {
  if (length(value) !== 2) fail('value', 'an element is no pair');
  return [...iterate(value)] as [Value, Value];
}

function namespace(args: Arguments): Namespace {
  const made = new Namespace();
  for (const [key, value] of entries(args)) made.attributes.set(print(key), value);
  return made;
}

/** The functions that every template sees. */
export function globals(now: () => Date): ReadonlyMap<string, Value> {
  const functions: Record<string, (args: Arguments) => Value> = {
    range,
    namespace,
    dict: (args) => new Dict(entries(args)),
    raise_exception: (args) => fail('raised', print(bind('raise_exception', ['message'], args, 1)[0]!)),
    strftime_now: (args) => strftime(now(), text(bind('strftime_now', ['format'], args, 1)[0]!)),
  };
  return new Map(
    Object.entries(functions).map(([name, call]) => [name, new Callable(name, 'function', call)]),
  );
}
