import { fail } from '../fail';
import { nested } from '../limits';
import { type Arguments, Callable, Dict, Tuple, Undefined, type Value } from '../python/values';
import type { Block, Parameter } from './ast';
import { evaluate } from './expressions';
import { Scope } from './scope';

type Special = 'caller' | 'kwargs' | 'varargs';

/**
 * A macro, or the block of a call: sees what was around it where it was written.
 * @param run renders its body.
 */
export function macro(
  name: string,
  parameters: readonly Parameter[],
  body: Block,
  outer: Scope,
  run: (body: Block, scope: Scope) => string,
): Callable {
  const special = specialNames(body);
  const names = parameters.map((parameter) => ('key' in parameter ? parameter.key.value : parameter.value));
  const attributes = new Map<string, Value>([
    ['name', name],
    ['arguments', new Tuple(names)],
    ['caller', special.has('caller')],
  ]);
  const call = (args: Arguments) =>
    nested(() => {
      const scope = new Scope(outer);
      bindMacro(name, parameters, special, args, scope);
      return run(body, scope);
    });
  return new Callable(name, 'Macro', call, attributes);
}

function bindMacro(
  name: string,
  parameters: readonly Parameter[],
  special: ReadonlySet<Special>,
  { positional, named }: Arguments,
  scope: Scope,
): void {
  const left = new Map(named);
  const withDefault: Extract<Parameter, { key: unknown }>[] = [];
  parameters.forEach((parameter, i) => {
    const key = 'key' in parameter ? parameter.key.value : parameter.value;
    if (i < positional.length && left.has(key))
      fail('type', `macro '${name}' got multiple values for argument '${key}'`);
    const value = i < positional.length ? positional[i] : left.get(key);
    left.delete(key);
    if (value === undefined && 'key' in parameter) withDefault.push(parameter);
    const absent = new Undefined(`parameter '${key}' was not provided`);
    scope.set(key, value === undefined ? absent : value);
  });
  for (const { key, value } of withDefault) scope.set(key.value, evaluate(value, scope));
  bindSpecial(name, special, positional.slice(parameters.length), left, scope);
}

/** What is left over goes to `caller`, `kwargs` and `varargs`, where the macro asks for them. */
function bindSpecial(
  name: string,
  special: ReadonlySet<Special>,
  positional: readonly Value[],
  named: Map<string, Value>,
  scope: Scope,
): void {
  if (special.has('caller')) {
    scope.set('caller', named.get('caller') ?? new Undefined('No caller defined'));
    named.delete('caller');
  }
  const [key] = named.keys();
  if (special.has('kwargs')) scope.set('kwargs', new Dict(named));
  else if (key !== undefined) fail('type', `macro '${name}' takes no keyword argument '${key}'`);
  if (special.has('varargs')) scope.set('varargs', new Tuple(positional));
  else if (positional.length > 0) fail('type', `macro '${name}' takes fewer arguments`);
}

/** Which of the special names a body reads. */
function specialNames(body: Block): ReadonlySet<Special> {
  const found = new Set<Special>();
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const { type, value } = node as { type?: unknown; value?: unknown };
    if (type === 'Identifier' && ['caller', 'kwargs', 'varargs'].includes(value as string))
      found.add(value as Special);
    const children = node instanceof Map ? [...node].flat() : Object.values(node);
    for (const child of children) visit(child);
  };
  visit(body);
  return found;
}
