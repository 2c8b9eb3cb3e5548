import type { Module } from '@mmllm/core';
import type { ReadOptions } from '../source';
import { type FilledPart, type Filling, fillParameters } from './fill';
import { sameShape, shapeToOurs } from './layout';
import { isIgnored, type NameMap, type NameRule, toTheirs } from './name-map';
import { findGapOfOurs, ourPartShape } from './our-part';
import { findGap, partShape } from './parts';
import { Problems } from './problems';
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

  const total = fillings.reduce((sum, { parameter }) => sum + parameter.size, 0);
  let loaded = 0;
  await fillParameters(source, fillings, {
    signal,
    onPart: (path, values) => {
      loaded += values;
      onProgress?.({ path, loaded, total });
    },
  });
  return { loaded: fillings.map(({ path }) => path), missing, unexpected };
}

interface LoadPlan {
  fillings: Filling[];
  missing: string[];
  unexpected: string[];
}

/** Decides from names and shapes alone what goes where. */
function planLoad(module: Module, source: WeightSource, map: NameMap, strict: boolean): LoadPlan {
  const keys = new Set(source.keys());
  const fillings: Filling[] = [];
  const sharers = new Map<string, { path: string; rule: NameRule }[]>();
  const missing = new Map<string, string | undefined>();
  const problems = new Problems();

  for (const [path, parameter] of module.namedParameters()) {
    const targets = toTheirs(map, path, parameter.shape[0]);
    const gap = findGapOfOurs(path, parameter.shape, targets);
    if (gap) problems.add('badly made up', `${path}: ${gap}`);
    const parts: FilledPart[] = [];
    for (const { key: wanted, keys: spellings, rule } of targets) {
      const present = spellings.filter((key) => keys.has(key));
      if (present.length > 1) problems.add('ambiguous', `${path} in ${present.join(' and ')}`);
      const [key] = present;
      // Of a parameter that several tensors make up, the first that is missing is named.
      if (key === undefined && !missing.has(path)) missing.set(path, wanted);
      if (key !== undefined) parts.push({ key, rule });
    }
    if (targets.length === 0) missing.set(path, undefined);
    if (missing.has(path)) continue;
    fillings.push({ path, parameter, parts });
    for (const { key, rule } of parts) {
      const misfit = findMisfit(source.shape(key), parameter.shape, rule);
      if (misfit) problems.add('with the wrong shape', `${key} ${misfit.theirs} for ${path} ${misfit.ours}`);
      sharers.set(key, [...(sharers.get(key) ?? []), { path, rule }]);
    }
  }

  for (const [key, all] of sharers) {
    const gap = findGap(source.shape(key), all);
    if (gap) problems.add('badly shared', `${key}: ${gap}`);
  }
  const unexpected = [...keys].filter((key) => !sharers.has(key) && !isIgnored(map, key));
  if (strict) {
    for (const [path, key] of missing) problems.addMissing(path, key, unexpected);
    for (const key of unexpected) problems.add('unexpected', key);
  }
  problems.throwIfAny(source.name, 'a tensor for every parameter, and a use for every tensor');
  return { fillings, missing: [...missing.keys()], unexpected };
}

/** What the file has and what we want, where they differ. */
function findMisfit(theirs: readonly number[], ours: readonly number[], rule: NameRule) {
  const given = shapeToOurs(rule, partShape(theirs, rule));
  const wanted = ourPartShape(ours, rule);
  if (given && sameShape(given, wanted)) return undefined;
  const layout = rule.layout ? ` in layout ${rule.layout}` : '';
  return { theirs: `[${theirs.join(', ')}]`, ours: `[${wanted.join(', ')}]${layout}` };
}
