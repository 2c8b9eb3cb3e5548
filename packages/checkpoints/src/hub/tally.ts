import type { HubFile } from './api';
import type { DownloadProgress } from './options';

/** Counts the bytes of several files and reports them. */
export class Tally {
  #loaded = 0;
  #total = 0;
  readonly #files = new Map<string, number>();

  constructor(private readonly onProgress?: (progress: DownloadProgress) => void) {}

  /** Counts a file towards the whole, once. */
  expect({ path, size }: HubFile): void {
    if (this.#files.has(path)) return;
    this.#files.set(path, 0);
    this.#total += size;
  }

  /** Bytes of an expected file that came, or were there before. */
  add({ path, size }: HubFile, count: number): void {
    const fileLoaded = (this.#files.get(path) ?? 0) + count;
    this.#files.set(path, fileLoaded);
    this.#loaded += count;
    this.onProgress?.({ file: path, fileLoaded, fileSize: size, loaded: this.#loaded, total: this.#total });
  }
}
