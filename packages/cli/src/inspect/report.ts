import { formatTable } from '@mmllm/core';
import type { Inspection } from './inspect';
import type { ParameterTree } from './tree';

const count = (n: number): string => n.toLocaleString('en-US');

/** What a person reads: the components, the tree of parameters, the size, and the tokens of a picture. */
export function formatInspection(inspection: Inspection): string {
  const { modelType, components, parameters, tree, dtype, bytes, tokensPerImage: picture } = inspection;
  const table = formatTable([
    ['component', 'parameters'],
    ...Object.entries(components).map(([name, n]) => [name, count(n)]),
    ['total', count(parameters)],
  ]);
  const size = `${dtype}: ${count(bytes)} bytes`;
  const lines = [
    modelType,
    '',
    table,
    '',
    formatTable([['part', 'parameters'], ...treeRows(tree)]),
    '',
    size,
  ];
  if (picture) {
    const { width, height, features, inSequence, exact } = picture;
    lines.push(
      `a picture of ${width} × ${height} pixels: ${count(features)} feature rows` +
        `${inSequence > 0 ? `, ${count(inSequence)} tokens of the sequence` : ''}${exact ? '' : ' at most'}`,
    );
  }
  return lines.join('\n');
}

function* treeRows({ parts = {} }: ParameterTree, indent = ''): Iterable<string[]> {
  for (const [name, part] of Object.entries(parts)) {
    const shape = part.shape ? ` [${part.shape.join(', ')}]` : '';
    yield [`${indent}${name}${shape}`, count(part.parameters)];
    yield* treeRows(part, `${indent}  `);
  }
}

/** One line for each model: its parameters, and those of its components. */
export function formatPublished(all: Readonly<Record<string, Inspection>>): string {
  const rows = Object.entries(all).map(([name, { parameters, components }]) => {
    const parts = Object.entries(components).map(([part, n]) => `${part} ${count(n)}`);
    return [name, parts.join(', '), count(parameters)];
  });
  return formatTable([['model', 'components', 'parameters'], ...rows]);
}
