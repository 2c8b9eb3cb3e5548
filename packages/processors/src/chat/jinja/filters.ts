import { type Bound, bind } from '../python/arguments';
import type { Arguments, Value } from '../python/values';
import { listFilters, selectFilters } from './list-filters';
import { Table } from './table';
import { textFilters } from './text-filters';
import { valueFilters } from './value-filters';

/** A filter: its parameters behind the value, how many of them are needed, and what it does. */
export interface Filter {
  readonly parameters: string;
  readonly required?: number;
  readonly run: (value: Value, ...given: Bound) => Value;
}

const bound =
  (name: string, { parameters, required, run }: Filter) =>
  (value: Value, args: Arguments): Value =>
    run(value, ...bind(name, parameters ? parameters.split(' ') : [], args, required));

/** The filters of Jinja (jinja2/filters.py) that a conversation can need, and `tojson` as transformers has it. */
export const filters: Table<Value> = new Table<Value>('filter', {
  ...Object.fromEntries(
    Object.entries({ ...textFilters, ...listFilters, ...valueFilters }).map(([name, filter]) => [
      name,
      bound(name, filter),
    ]),
  ),
  ...selectFilters,
});
