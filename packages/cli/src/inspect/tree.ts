import { Module, type Parameter } from '@mmllm/core';

/** A module's parameters, with those of its parts; equal neighbours of a list are one node, named `layers.0…31`. */
export interface ParameterTree {
  readonly parameters: number;
  /** Shape of a single parameter. */
  readonly shape?: readonly number[];
  readonly parts?: Readonly<Record<string, ParameterTree>>;
}

/** The tree of a module, shape-only or not. */
export function parameterTree(module: Module): ParameterTree {
  const parts: [string, ParameterTree][] = [];
  for (const [name, member] of module.members()) {
    parts.push([name, Module.isInstance(member) ? parameterTree(member) : leaf(member)]);
  }
  return { parameters: module.countParameters(), parts: Object.fromEntries(merged(parts)) };
}

const leaf = ({ size, shape, trainable }: Parameter): ParameterTree => ({
  parameters: trainable ? size : 0,
  shape,
});

/** Joins `layers.0` to `layers.31` where they are alike. */
function merged(parts: readonly [string, ParameterTree][]): [string, ParameterTree][] {
  const nodes: {
    list: string;
    first: string;
    last: string;
    key: string;
    tree: ParameterTree;
    count: number;
  }[] = [];
  for (const [name, tree] of parts) {
    const [list, index] = name.split('.');
    const key = JSON.stringify(tree);
    const before = nodes.at(-1);
    if (index !== undefined && before?.list === list && before.key === key) {
      before.last = index;
      before.count++;
    } else nodes.push({ list, first: index, last: index, key, tree, count: 1 });
  }
  return nodes.map(({ list, first, last, tree, count }) => {
    const name =
      first === undefined ? list : first === last ? `${list}.${first}` : `${list}.${first}…${last}`;
    return [name, { ...tree, parameters: tree.parameters * count }];
  });
}
