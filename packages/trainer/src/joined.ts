import { Module, type Parameter } from '@mmllm/core';

/** Modules of several owners under one roof, each at its path. The parameters stay their owners'. */
export class Joined extends Module {
  readonly #members: readonly [path: string, member: Module | Parameter][];

  constructor(...members: readonly (readonly [path: string, member: Module | Parameter])[]) {
    super();
    this.#members = members.map(([path, member]) => [path, member]);
  }

  override members(): Iterable<[string, Module | Parameter]> {
    return this.#members;
  }
}
