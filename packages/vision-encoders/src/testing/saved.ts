import { type NameMap, saveWeights, toTheirs, type WeightSource } from '@mmllm/checkpoints';
import type { Module } from '@mmllm/core';

/**
 * Saves a module that was loaded from a file, and gives the keys that are not what `part` of the file has: missing, too
 * many, of another shape or with other values.
 */
export async function savedOtherwise(
  module: Module,
  names: NameMap,
  file: WeightSource,
  part: (key: string) => boolean,
): Promise<string[]> {
  const missing = new Set([...file.keys()].filter(part));
  const wrong: string[] = [];
  for (const [key, { shape, read }] of saveWeights(module, names)) {
    const same = missing.delete(key) && `${file.shape(key)}` === `${shape}`;
    const saved = (await read()) as Float32Array;
    const loaded = same ? await file.read(key) : undefined;
    if (!loaded?.every((value, i) => value === saved[i])) wrong.push(key);
  }
  return [...wrong, ...missing];
}

/** What the names make of each parameter's path; undefined where they have nothing for it. */
export const keysOf = (module: Module, names: NameMap): (string | undefined)[] =>
  [...module.namedParameters()].map(([path]) => toTheirs(names, path)[0]?.key);
