import type { Module, Parameter } from '@mmllm/core';
import type { LazyTensor } from '../safetensors/encode';
import { shapeToTheirs, valuesToTheirs } from './layout';
import { type NameMap, type NameRule, toTheirs } from './name-map';
import { findGapOfOurs, ourPartShape, ourPartValues } from './our-part';
import { findGap, fitsPart, placePart } from './parts';
import { Problems } from './problems';

/** A parameter, or a part of it, as a file tensor or a part of one. */
interface Piece {
  path: string;
  parameter: Parameter;
  rule: NameRule;
  /** Shape of this piece in the file's layout. */
  shape: readonly number[];
  /** Among the tensors that make up the parameter. */
  index: number;
}

/**
 * A module's parameters under the names and in the layouts of somebody's checkpoint, as float32, for `streamSafetensors`.
 * Values are read when asked for, one tensor at a time.
 * @throws WeightError if a parameter has no rule, does not fit its layout, or collides with another.
 */
export function saveWeights(module: Module, map: NameMap): [key: string, tensor: LazyTensor][] {
  const tensors = new Map<string, Piece[]>();
  const problems = new Problems();
  const misfit = (path: string, { shape }: Parameter, key: string) =>
    problems.add('with the wrong shape', `${path} [${shape.join(', ')}] for ${key}`);
  for (const [path, parameter] of module.namedParameters()) {
    const targets = toTheirs(map, path, parameter.shape[0]);
    if (targets.length === 0) problems.add('without a rule', path);
    const gap = findGapOfOurs(path, parameter.shape, targets);
    if (gap) problems.add('badly made up', `${path}: ${gap}`);
    for (const [index, { key, rule }] of targets.entries()) {
      const shape = shapeToTheirs(rule, ourPartShape(parameter.shape, rule));
      if (shape) tensors.set(key, [...(tensors.get(key) ?? []), { path, parameter, rule, shape, index }]);
      else misfit(path, parameter, key);
    }
  }
  const saved = [...tensors].map(([key, pieces]): [string, LazyTensor] => {
    const shape = wholeShape(pieces);
    const odd = pieces.filter((piece) => !fitsPart(piece.shape, shape, piece.rule));
    for (const { path, parameter } of odd) misfit(path, parameter, key);
    const gap = odd.length === 0 && findGap(shape, pieces);
    if (gap) problems.add('badly shared', `${key}: ${gap}`);
    return [key, joinPieces(shape, pieces)];
  });
  problems.throwIfAny('name map', 'a key of its own for every parameter');
  return saved;
}

/** The shape of the tensor that the pieces make up, if they fit. */
function wholeShape(pieces: readonly Piece[]): readonly number[] {
  const { shape, rule } = pieces[0]!;
  const sum = (axis: number) => pieces.reduce((total, piece) => total + (piece.shape.at(axis) ?? 0), 0);
  if (rule.columns) return [...shape.slice(0, -1), sum(-1)];
  return rule.rows || rule.blocks ? [sum(0), ...shape.slice(1)] : shape;
}

function joinPieces(shape: readonly number[], pieces: readonly Piece[]): LazyTensor {
  return {
    dtype: 'F32',
    shape,
    async read({ signal } = {}) {
      const part = async ({ parameter, rule, shape, index }: Piece) => {
        signal?.throwIfAborted();
        const values = ourPartValues(await parameter.read(), parameter.shape, rule, index);
        return valuesToTheirs(rule, values, shape);
      };
      if (pieces.length === 1) return part(pieces[0]!);
      const into = new Float32Array(shape.reduce((size, dimension) => size * dimension, 1));
      for (const piece of pieces) placePart(piece.rule, await part(piece), { into, shape });
      return into;
    },
  };
}
