import { spend } from './limits';
import { Dict, Opaque, type Value } from './python/values';

/**
 * What the caller gives as a value of Python: plain objects, maps and arrays with all that is in them. A number
 * without a fraction becomes an int, since JavaScript does not tell 7.0 from 7. Anything else, such as a picture or a
 * function, stays closed to the template.
 */
export function toValue(input: unknown): Value {
  spend();
  switch (typeof input) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return input;
    case 'number':
      return Number.isInteger(input) && !Object.is(input, -0) ? BigInt(input) : input;
  }
  if (input === null || input === undefined) return null;
  if (Array.isArray(input)) return input.map(toValue);
  const entries = input instanceof Map ? [...input] : isPlain(input) ? Object.entries(input) : undefined;
  if (!entries) return new Opaque();
  // An option that is undefined counts as left out, as JSON has it.
  const present = entries.filter(([, value]) => value !== undefined);
  return new Dict(present.map(([key, value]) => [toValue(key), toValue(value)]));
}

function isPlain(input: object): boolean {
  if (typeof input !== 'object') return false;
  const prototype: unknown = Object.getPrototypeOf(input);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}
