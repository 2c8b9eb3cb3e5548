import { CheckpointError } from '@mmllm/core';
import { type HttpOptions, httpSource, rangeSource } from '../http/source';
import type { ByteSource, ReadOptions } from '../source';
import { fileMissing, pathsBelow } from '../storage/names';
import type { CheckpointStorage, FolderReader } from '../storage/storage';
import {
  fileUrl,
  type HubFile,
  type HubModel,
  isOffline,
  notDownloaded,
  rangeOptions,
  readModel,
} from './api';
import { blockCache } from './block-cache';
import { type HubOptions, type HubTarget, resolveTarget } from './options';
import { recall, remember, repoFolder } from './records';
import { Tally } from './tally';

export interface HubFilesOptions extends HubOptions {
  /**
   * Keeps what was read, block by block, such as `opfsStorage()`: it is fetched once, and is there without a connection.
   * Default: nothing is kept.
   */
  storage?: CheckpointStorage;
}

/** A model of the Hub at one commit. */
export interface HubFiles extends FolderReader {
  /** The commit that the revision stood for. */
  readonly commit: string;
}

/**
 * A model of the Hub, read by range over HTTP: only what is asked for is fetched, in browsers and in Node. For all files
 * on a disk, see `downloadModel` of `@mmllm/checkpoints/hub/node`.
 *
 * Without a connection, what `storage` holds is used. The token goes to the Hub alone and never stands in an error.
 *
 * @throws DownloadError with what to do: `status` is 401 or 403 without access, 404 for what is not there, and undefined
 * without an answer.
 * @throws ConfigError for a name that cannot be one.
 */
export async function hubFiles(repo: string, options: HubFilesOptions = {}): Promise<HubFiles> {
  const target = resolveTarget(repo, options);
  const model = await findModel(target, options.storage);
  const files = new Map(model.files.map((file) => [file.path, file]));
  const tally = new Tally(options.onProgress);

  return {
    commit: model.commit,

    async open(name, { signal }: ReadOptions = {}) {
      signal?.throwIfAborted();
      const file = files.get(name);
      if (!file) throw fileMissing(`${repo}/${name}`);
      return openFile(target, model, file, tally, options.storage);
    },

    async list(folder) {
      return pathsBelow(files.keys(), folder);
    },
  };
}

/** Asks the Hub, or else the storage. */
async function findModel(target: HubTarget, storage?: CheckpointStorage): Promise<HubModel> {
  const known = () => (storage ? recall(target, storage) : undefined);
  if (target.offline) {
    const model = await known();
    if (model) return model;
    throw notDownloaded(target, storage ? 'the storage' : 'a storage, since `offline` allows no request');
  }
  try {
    const model = await readModel(target);
    if (storage) await remember(target, model, storage);
    return model;
  } catch (error) {
    const model = isOffline(error) ? await known() : undefined;
    if (model) return model;
    throw error;
  }
}

async function openFile(
  target: HubTarget,
  model: HubModel,
  file: HubFile,
  tally: Tally,
  storage?: CheckpointStorage,
): Promise<ByteSource> {
  const url = fileUrl(target, model, file);
  tally.expect(file);
  const options: HttpOptions = { ...rangeOptions(target), onBytes: (count) => tally.add(file, count) };
  if (storage) {
    const source = target.offline ? unreachable(target, file) : rangeSource(url, file, options);
    return blockCache(source, storage, `${repoFolder(target)}/blobs/${file.oid}`);
  }
  const source = await httpSource(url, options);
  if (source.size === file.size) return source;
  throw new CheckpointError({
    component: source.name,
    expected: `${file.size} bytes as listed`,
    actual: `${source.size}`,
  });
}

/** In the place of a file that must not be fetched. */
const unreachable = (target: HubTarget, { path, size }: HubFile): ByteSource => ({
  name: `${target.repo}/${path}`,
  size,
  read: () => Promise.reject(notDownloaded(target, `the storage, with all of '${path}'`)),
});
