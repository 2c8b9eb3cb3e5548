import { fail } from '../fail';
import { made } from '../limits';
import { print } from './print';
import type { Arguments } from './values';

/**
 * Python's `text.format(…)` with fields by place and by name.
 * @throws TemplateError for a field with attributes, a conversion or a format specification.
 */
export function formatBraces(self: string, { positional, named }: Arguments): string {
  let next = 0;
  const field = (name: string) => {
    const at = name === '' ? next++ : Number(/^\d+$/.test(name) ? name : Number.NaN);
    const value = Number.isNaN(at) ? named.get(name) : positional[at];
    return value === undefined ? fail('value', `format has no value for {${name}}`) : print(value);
  };
  const text = self.replace(/\{\{|\}\}|\{(\w*)\}|[{}]/g, (all, name) => {
    if (name !== undefined) return field(name);
    return all.length === 2 ? all[0] : fail('value', 'format takes plain fields only: {}, {0} and {name}');
  });
  return made(text);
}
