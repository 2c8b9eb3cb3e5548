import { fail } from '../fail';
import { type Arguments, failIfUndefined, typeName, type Value } from './values';

/** Values of the parameters in their order; `undefined` for those that are left out. */
export type Bound = (Value | undefined)[];

/**
 * Binds the arguments of a call to the parameters of a function, as Python does.
 * @param required so many of the first must be given.
 * @throws TemplateError for too many, too few, or one of another name.
 */
export function bind(name: string, parameters: readonly string[], args: Arguments, required = 0): Bound {
  const { positional, named } = args;
  if (positional.length > parameters.length) {
    fail('type', `${name}() takes ${parameters.length} arguments but ${positional.length} were given`);
  }
  for (const key of named.keys()) {
    const index = parameters.indexOf(key);
    if (index < 0) fail('type', `${name}() got an unexpected keyword argument '${key}'`);
    if (index < positional.length) fail('type', `${name}() got multiple values for argument '${key}'`);
  }
  const values = parameters.map((parameter, i) =>
    i < positional.length ? positional[i] : named.get(parameter),
  );
  const missing = values.findIndex((value, i) => i < required && value === undefined);
  if (missing >= 0) fail('type', `${name}() missing a required argument: '${parameters[missing]}'`);
  return values;
}

/** @throws TemplateError unless it is an int; a bool is one. */
export function integer(value: Value): number {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'bigint') return Number(value);
  failIfUndefined(value);
  return fail('type', `'${typeName(value)}' object cannot be interpreted as an integer`);
}

/** @throws TemplateError unless it is a str. */
export function text(value: Value): string {
  if (typeof value === 'string') return value;
  failIfUndefined(value);
  return fail('type', `expected str, got ${typeName(value)}`);
}
