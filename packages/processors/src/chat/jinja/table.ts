import { fail } from '../fail';
import type { Arguments, Value } from '../python/values';

type Run<T> = (value: Value, args: Arguments) => T;

/** Filters or tests by their names. */
export class Table<T> {
  readonly #kind: string;
  readonly #entries: ReadonlyMap<string, Run<T>>;

  constructor(kind: string, entries: Readonly<Record<string, Run<T>>>) {
    this.#kind = kind;
    this.#entries = new Map(Object.entries(entries));
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** @throws TemplateError where there is none of that name. */
  run(name: string, value: Value, args: Arguments): T {
    const run = this.#entries.get(name);
    return run ? run(value, args) : fail('syntax', `No ${this.#kind} named '${name}'.`);
  }
}
