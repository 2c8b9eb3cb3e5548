import { link, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { getHFHubCachePath } from '@huggingface/hub';
import {
  fileUrl,
  type HubFile,
  type HubModel,
  isOffline,
  notDownloaded,
  rangeOptions,
  readModel,
} from '../hub/api';
import { type HubOptions, type HubTarget, resolveTarget } from '../hub/options';
import { repoFolder } from '../hub/records';
import { Tally } from '../hub/tally';
import { isWanted } from '../hub/wanted';
import { checkName } from '../storage/names';
import { systemCode, wrapSystemError } from './errors';
import { exists } from './exists';
import { downloadBlob } from './hub-blob';

export interface DownloadOptions extends HubOptions {
  /** Default: where huggingface_hub keeps it, as `HF_HUB_CACHE` or `HF_HOME` say. */
  cacheDir?: string;
  /** Which files to download. Default: configurations, tokenizers and templates at the top, and the weights. */
  files?: (path: string) => boolean;
}

/**
 * Downloads a model of the Hub into the cache that it shares with huggingface_hub, and gives the folder of its files, for
 * `openModelFolder(fileStorage(folder))`. What is there is not fetched again; what broke off goes on where it stopped;
 * every file's hash is checked. Without a connection, the folder of an earlier download is given as it is.
 *
 * @throws DownloadError with what to do: `status` is 401 or 403 without access, 404 for what is not there, and undefined
 * without an answer.
 * @throws CheckpointError if a file has other content than its hash says, or the cache cannot be written.
 * @throws ConfigError for a name that cannot be one.
 */
export async function downloadModel(repo: string, options: DownloadOptions = {}): Promise<string> {
  const { cacheDir = getHFHubCachePath(), files, onProgress } = options;
  const target = resolveTarget(repo, options);
  const folder = join(cacheDir, repoFolder(target));
  try {
    const model = await findModel(target, folder);
    if (typeof model === 'string') return model;
    const paths = model.files.map(({ path }) => path);
    const wanted = model.files.filter(({ path }) => (files ? files(path) : isWanted(path, paths)));
    const tally = new Tally(onProgress);
    for (const file of wanted) tally.expect(file);
    for (const file of wanted) await placeFile(target, model, file, folder, tally);
    const snapshot = snapshotPath(folder, model.commit);
    await mkdir(snapshot, { recursive: true });
    return snapshot;
  } catch (error) {
    throw wrapSystemError(error, folder, 'a cache that can be read and written');
  }
}

const snapshotPath = (folder: string, commit: string): string => join(folder, 'snapshots', commit);

/** The model as the Hub tells, or the folder of an earlier download. */
async function findModel(target: HubTarget, folder: string): Promise<HubModel | string> {
  if (!target.offline) {
    try {
      const model = await readModel(target);
      await writeRef(folder, target.revision, model.commit);
      return model;
    } catch (error) {
      const earlier = isOffline(error) ? await earlierDownload(target, folder) : undefined;
      if (earlier !== undefined) return earlier;
      throw error;
    }
  }
  const earlier = await earlierDownload(target, folder);
  if (earlier !== undefined) return earlier;
  throw notDownloaded(target, folder);
}

async function earlierDownload({ revision }: HubTarget, folder: string): Promise<string | undefined> {
  const ref = await readFile(refPath(folder, revision), 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return revision;
    throw error;
  });
  const snapshot = snapshotPath(folder, checkName(ref.trim()).join('/'));
  return (await exists(snapshot)) ? snapshot : undefined;
}

const refPath = (folder: string, revision: string): string => join(folder, 'refs', ...checkName(revision));

async function writeRef(folder: string, revision: string, commit: string): Promise<void> {
  if (revision === commit) return;
  const path = refPath(folder, revision);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, commit);
}

/** Makes sure of the content, and of the file's name for it. */
async function placeFile(
  target: HubTarget,
  model: HubModel,
  file: HubFile,
  folder: string,
  tally: Tally,
): Promise<void> {
  const path = join(snapshotPath(folder, model.commit), ...checkName(file.path));
  const blob = join(folder, 'blobs', file.oid);
  const count = (bytes: number) => tally.add(file, bytes);
  if (await exists(path)) return count(file.size);
  if (await exists(blob)) count(file.size);
  else await downloadBlob(fileUrl(target, model, file), file, blob, rangeOptions(target), count);
  await mkdir(dirname(path), { recursive: true });
  // Made beside its place and moved: another process may do the same now.
  const temporary = `${path}.${crypto.randomUUID()}`;
  await symlink(relative(dirname(path), blob), temporary).catch((error: unknown) => {
    // Windows lets only some accounts make symbolic links.
    if (systemCode(error) === 'EPERM') return link(blob, temporary);
    throw error;
  });
  await rename(temporary, path);
}
