import type { Module, Parameter } from '@mmllm/core';
import type { LazyTensor } from '../safetensors/encode';
import { sameShape, shapeToTheirs, valuesToTheirs } from './layout';
import { type NameMap, type NameRule, toTheirs } from './name-map';
import { Problems } from './problems';
import { findGap } from './rows';

/** A parameter as a part of a file tensor. */
interface Piece {
  path: string;
  parameter: Parameter;
  rule: NameRule;
  /** Shape of this piece in the file's layout. */
  shape: readonly number[];
}

/**
 * A module's parameters under the names and in the layouts of somebody's checkpoint, as float32, for `streamSafetensors`.
 * Values are read when asked for, one tensor at a time.
 * @throws WeightError if a parameter has no rule, does not fit its layout, or collides with another.
 */
export function saveWeights(module: Module, map: NameMap): [key: string, tensor: LazyTensor][] {
  const tensors = new Map<string, Piece[]>();
  const problems = new Problems();
  for (const [path, parameter] of module.namedParameters()) {
    const target = toTheirs(map, path);
    if (!target) {
      problems.add('without a rule', path);
      continue;
    }
    const { key, rule } = target;
    const pieces = tensors.get(key) ?? [];
    const shape = shapeToTheirs(rule, parameter.shape);
    if (!shape || !fitsBelow(pieces[0], shape, rule)) {
      problems.add('with the wrong shape', `${path} [${parameter.shape.join(', ')}] for ${key}`);
      continue;
    }
    tensors.set(key, [...pieces, { path, parameter, rule, shape }]);
  }
  for (const [key, pieces] of tensors) {
    const gap = findGap(countRows(pieces), pieces);
    if (gap) problems.add('badly shared', `${key}: ${gap}`);
  }
  problems.throwIfAny('name map', 'a key of its own for every parameter');
  return [...tensors].map(([key, pieces]) => [key, joinPieces(pieces)]);
}

/** Whether a piece has as many rows as its rule says, as wide as those of the first piece. */
function fitsBelow(first: Piece | undefined, shape: readonly number[], { rows }: NameRule): boolean {
  if (!rows) return true;
  return shape[0] === rows[1] - rows[0] && sameShape(shape.slice(1), (first?.shape ?? shape).slice(1));
}

const countRows = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);

/** Our pieces below each other, in the order of their rows. */
function joinPieces(pieces: readonly Piece[]): LazyTensor {
  const ordered = [...pieces].sort((a, b) => (a.rule.rows?.[0] ?? 0) - (b.rule.rows?.[0] ?? 0));
  const [first] = ordered;
  const shape = ordered.length === 1 ? first!.shape : [countRows(ordered), ...first!.shape.slice(1)];
  return {
    dtype: 'F32',
    shape,
    async read({ signal } = {}) {
      const parts: Float32Array[] = [];
      for (const { parameter, rule, shape } of ordered) {
        signal?.throwIfAborted();
        parts.push(valuesToTheirs(rule, await parameter.read(), shape));
      }
      return parts.length === 1 ? parts[0]! : concat(parts);
    },
  };
}

function concat(parts: readonly Float32Array[]): Float32Array {
  const values = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let position = 0;
  for (const part of parts) {
    values.set(part, position);
    position += part.length;
  }
  return values;
}
