import { CheckpointError } from '@mmllm/core';
import { openSafetensors, type SafetensorsFile } from '../safetensors/file';
import { quote } from '../safetensors/json';
import type { ReadOptions } from '../source';
import type { FolderReader } from '../storage/storage';
import { unknownTensor } from '../unknown-tensor';
import { Problems } from '../weights/problems';
import { type RowSource, safetensorsWeights, type WeightSource } from '../weights/source';
import { inFolder, WEIGHTS, WEIGHTS_INDEX } from './files';
import { parseIndex } from './index-file';
import { readText } from './read-text';

/** The weights of a folder, and the files to close. */
export interface FolderWeights {
  weights: WeightSource;
  files: readonly SafetensorsFile[];
}

/**
 * Opens `model.safetensors`, or else the shards that `model.safetensors.index.json` names. Reads the headers only.
 * @throws CheckpointError if there is neither, or where index and shards do not say the same.
 */
export async function openWeights(
  place: FolderReader,
  folder: string,
  names: readonly string[],
  options?: ReadOptions,
): Promise<FolderWeights> {
  // Of both, transformers takes the single file too.
  if (names.includes(WEIGHTS)) {
    const [file] = await openAll(place, folder, [WEIGHTS], options);
    return { weights: safetensorsWeights(file!), files: [file!] };
  }
  const index = inFolder(folder, WEIGHTS_INDEX);
  if (!names.includes(WEIGHTS_INDEX)) throw noWeights(folder, names);
  const shardOf = parseIndex(await readText(place, index, options), index);
  const shards = [...new Set(shardOf.values())].sort();
  const problems = new Problems();
  for (const shard of shards) if (!names.includes(shard)) problems.add('missing shards', quote(shard));
  throwMisfits(problems, index);

  const files = await openAll(place, folder, shards, options);
  try {
    compareWithIndex(shardOf, shards, files, problems);
    throwMisfits(problems, index);
  } catch (error) {
    await closeAll(files);
    throw error;
  }
  return { weights: joinFiles(index, files), files };
}

export async function closeAll(files: readonly SafetensorsFile[]): Promise<void> {
  await Promise.all(files.map((file) => file.close()));
}

/** Opens all, or closes those that opened. */
async function openAll(
  place: FolderReader,
  folder: string,
  names: readonly string[],
  options?: ReadOptions,
): Promise<SafetensorsFile[]> {
  const opening = names.map(async (name) =>
    openSafetensors(await place.open(inFolder(folder, name), options), options),
  );
  const results = await Promise.allSettled(opening);
  const files = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failure = results.find((result) => result.status === 'rejected');
  if (!failure) return files;
  await closeAll(files);
  throw failure.reason;
}

/** Each tensor stands in the one shard that the index names, and the index names each. */
function compareWithIndex(
  shardOf: ReadonlyMap<string, string>,
  shards: readonly string[],
  files: readonly SafetensorsFile[],
  problems: Problems,
): void {
  const found = new Map<string, string>();
  for (const [position, file] of files.entries()) {
    const shard = shards[position]!;
    for (const tensor of file.tensors.keys()) {
      const other = found.get(tensor);
      const indexed = shardOf.get(tensor);
      if (other) problems.add('in two shards', `${quote(tensor)} in '${other}' and '${shard}'`);
      else if (!indexed) problems.add('not in the index', `${quote(tensor)} of '${shard}'`);
      else if (indexed !== shard) {
        problems.add('in another shard', `${quote(tensor)} in '${shard}', not '${indexed}'`);
      }
      found.set(tensor, shard);
    }
  }
  for (const [tensor, shard] of shardOf) {
    if (!found.has(tensor)) problems.add('in no shard', `${quote(tensor)} of '${shard}'`);
  }
}

const throwMisfits = (problems: Problems, index: string) =>
  problems.throwIfAny(index, 'shards that hold what the index says', CheckpointError);

/** The tensors of several files as one source: file after file, each in its own order. */
function joinFiles(name: string, files: readonly SafetensorsFile[]): RowSource {
  const home = new Map<string, RowSource>();
  for (const source of files.map(safetensorsWeights)) {
    for (const key of source.keys()) home.set(key, source);
  }
  const sourceOf = (key: string): RowSource => {
    const source = home.get(key);
    if (source) return source;
    throw unknownTensor(name, key, home.keys());
  };
  return {
    name,
    keys: () => home.keys(),
    shape: (key) => sourceOf(key).shape(key),
    read: async (key, options) => sourceOf(key).read(key, options),
    readRows: async (key, ...range) => sourceOf(key).readRows(key, ...range),
  };
}

function noWeights(folder: string, names: readonly string[]): CheckpointError {
  const others = names.filter((name) => /\.(?:bin|pt|pth|ckpt|gguf|onnx|safetensors)$/.test(name));
  return new CheckpointError({
    component: folder || 'the folder',
    expected: `'${WEIGHTS}' or '${WEIGHTS_INDEX}'`,
    actual: others.length > 0 ? others.slice(0, 5).map(quote).join(', ') : 'neither',
    hint: others.some((name) => /\.(?:bin|pt|pth|ckpt)$/.test(name))
      ? 'Save the model with transformers 5 or later, or with safe_serialization=True.'
      : undefined,
  });
}
