import { Undefined, type Value } from '../python/values';

/** Names and their values; what is assigned in an inner scope is forgotten behind it. */
export class Scope {
  readonly #values = new Map<string, Value>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  get(name: string): Value {
    const value = this.#values.get(name);
    if (value !== undefined) return value;
    return this.#outer ? this.#outer.get(name) : new Undefined(`'${name}' is undefined`);
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }
}
