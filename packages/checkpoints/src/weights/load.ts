import type { Module } from '@mmllm/core';
import type { ReadOptions } from '../source';
import { type Filling, fillParameters } from './fill';
import { sameShape, shapeToOurs } from './layout';
import { isIgnored, type NameMap, toTheirs } from './name-map';
import { Problems } from './problems';
import { cutShape, findGap } from './rows';
import type { WeightSource } from './source';

export interface LoadProgress {
  /** The parameter that was filled last, wholly or in part. */
  path: string;
  /** Values filled so far, and in all. */
  loaded: number;
  total: number;
}

export interface LoadOptions extends ReadOptions {
  onProgress?: (progress: LoadProgress) => void;
  /**
   * Default true: every parameter must be filled and every tensor used or ignored. False leaves parameters that the
   * file lacks as they are and skips tensors that nobody wants; shapes must fit either way.
   */
  strict?: boolean;
}

export interface LoadReport {
  /** Paths of the parameters that were filled. */
  loaded: string[];
  /** Paths of the parameters that were not. Empty when strict. */
  missing: string[];
  /** Keys of the file that neither a parameter nor `ignore` took. Empty when strict. */
  unexpected: string[];
}

/**
 * Fills the parameters of a module from a checkpoint, a few megabytes at a time: beside the parameters it takes no memory
 * to speak of. All names and shapes are checked first, so that a refusal leaves the module as it was. If reading fails
 * later, or is aborted, some parameters are filled and the others as they were.
 * @throws WeightError naming up to ten of each kind of misfit, with the nearest spelling.
 * @throws CheckpointError if the source cannot be read or a tensor has no float32 values.
 */
export async function loadWeights(
  module: Module,
  source: WeightSource,
  map: NameMap,
  { signal, onProgress, strict = true }: LoadOptions = {},
): Promise<LoadReport> {
  const { fillings, missing, unexpected } = planLoad(module, source, map, strict);

  const all = [...fillings.values()].flat();
  const total = all.reduce((sum, { parameter }) => sum + parameter.size, 0);
  let loaded = 0;
  await fillParameters(source, fillings, {
    signal,
    onPart: (path, values) => {
      loaded += values;
      onProgress?.({ path, loaded, total });
    },
  });
  return { loaded: all.map(({ path }) => path), missing, unexpected };
}

interface LoadPlan {
  /** What each used key of the source fills. */
  fillings: Map<string, Filling[]>;
  missing: string[];
  unexpected: string[];
}

/** Decides from names and shapes alone what goes where. */
function planLoad(module: Module, source: WeightSource, map: NameMap, strict: boolean): LoadPlan {
  const keys = new Set(source.keys());
  const fillings = new Map<string, Filling[]>();
  const missing = new Map<string, string | undefined>();
  const problems = new Problems();

  for (const [path, parameter] of module.namedParameters()) {
    const target = toTheirs(map, path);
    const present = target?.keys.filter((key) => keys.has(key)) ?? [];
    if (present.length > 1) problems.add('ambiguous', `${path} in ${present.join(' and ')}`);
    const [key] = present;
    if (!target || key === undefined) {
      missing.set(path, target?.key);
      continue;
    }
    const { rule } = target;
    const shape = source.shape(key);
    const ours = shapeToOurs(rule, cutShape(shape, rule));
    if (!ours || !sameShape(ours, parameter.shape)) {
      const wanted = `[${parameter.shape.join(', ')}]${rule.layout ? ` in layout ${rule.layout}` : ''}`;
      problems.add('with the wrong shape', `${key} [${shape.join(', ')}] for ${path} ${wanted}`);
    }
    const sharers = fillings.get(key) ?? [];
    fillings.set(key, [...sharers, { path, parameter, rule }]);
  }

  for (const [key, targets] of fillings) {
    const gap = findGap(source.shape(key)[0] ?? 0, targets);
    if (gap) problems.add('badly shared', `${key}: ${gap}`);
  }
  const unexpected = [...keys].filter((key) => !fillings.has(key) && !isIgnored(map, key));
  if (strict) {
    for (const [path, key] of missing) problems.addMissing(path, key, unexpected);
    for (const key of unexpected) problems.add('unexpected', key);
  }
  problems.throwIfAny(source.name, 'a tensor for every parameter, and a use for every tensor');
  return { fillings, missing: [...missing.keys()], unexpected };
}
