import { CheckpointError } from '@mmllm/core';
import { isJsonObject, parseStrictJson, quote } from '../safetensors/json';

/**
 * Which shard holds which tensor, from the text of `model.safetensors.index.json`.
 * @throws CheckpointError for anything but an object with a `weight_map` from names to files beside the index, and for
 * a tensor that is named twice.
 */
export function parseIndex(text: string, component: string): ReadonlyMap<string, string> {
  const refuse = (expected: string, actual: string) => new CheckpointError({ component, expected, actual });
  const root = parseStrictJson(text, component);
  if (!isJsonObject(root)) throw refuse('a JSON object', 'another value');
  const map = root.get('weight_map');
  if (!isJsonObject(map))
    throw refuse("an object as 'weight_map'", map === undefined ? 'none' : 'another value');
  const shards = new Map<string, string>();
  for (const [tensor, file] of map) {
    if (typeof file !== 'string' || !isShard(file)) {
      const actual = typeof file === 'string' ? quote(file) : 'no text';
      throw refuse(`the name of a safetensors file for ${quote(tensor)}`, actual);
    }
    shards.set(tensor, file);
  }
  return shards;
}

/** A plain name: an index from elsewhere must not lead out of its folder. */
const isShard = (file: string): boolean => /^[^/\\]+\.safetensors$/.test(file);
