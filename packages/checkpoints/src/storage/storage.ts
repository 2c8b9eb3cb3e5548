import type { ByteSource, ReadOptions } from '../source';

/** A whole file, or its chunks in order. */
export type FileContent = Uint8Array | AsyncIterable<Uint8Array>;

export interface WriteOptions {
  /** Aborting rejects with the signal's reason and leaves nothing behind. */
  signal?: AbortSignal;
}

/** Where files can be put. */
export interface FolderWriter {
  /** Writes a file, replacing one of that name. */
  write(name: string, content: FileContent, options?: WriteOptions): Promise<void>;
}

/** Where files can be read: a storage, what a person picked, a model on a server. */
export interface FolderReader {
  /**
   * @throws CheckpointError if there is no such file.
   * @throws DownloadError if it lies elsewhere and cannot be fetched.
   */
  open(name: string, options?: ReadOptions): Promise<ByteSource>;

  /** Paths of all files below `folder` (default: the root), sorted. Empty when there is no such folder. */
  list(folder?: string): Promise<string[]>;
}

/**
 * Files and folders below one root: a directory, memory, a browser's private file system. Names are relative paths
 * with `/`. Whoever reads sees a file or a committed folder whole or not at all.
 *
 * All methods throw CheckpointError for a name that leads outside the root or that some platform cannot hold.
 */
export interface CheckpointStorage extends FolderReader, FolderWriter {
  /** Removes a file, or a folder with all it holds, if it is there. */
  remove(name: string): Promise<void>;

  /**
   * Makes a new folder of files. `fill` writes them, also several at once; when it is done, all become visible
   * together. If it rejects or the signal aborts, nothing stays behind.
   * @throws CheckpointError if `folder` exists: a committed folder is never changed, only removed.
   */
  commit(
    folder: string,
    fill: (folder: FolderWriter) => Promise<void>,
    options?: WriteOptions,
  ): Promise<void>;
}
