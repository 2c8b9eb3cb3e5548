import { CheckpointError } from '@mmllm/core';
import type { ReadOptions } from '../source';
import type { FolderReader } from '../storage/storage';
import type { WeightSource } from '../weights/source';
import { CONFIG, inFolder, type JsonObject } from './files';
import { parseObject, readText } from './read-text';
import { closeAll, type FolderWeights, openWeights } from './weights';

export interface OpenFolderOptions extends ReadOptions {
  /** Where the model lies below the place's root. Default: the root itself. */
  folder?: string;
}

/**
 * A model in the layout of Hugging Face. Nothing is read before it is asked for, and a file that is not there is
 * `undefined`, but for `config.json` and the weights.
 *
 * Each method throws CheckpointError for a file that is malformed, and DownloadError where it cannot be fetched.
 */
export class ModelFolder {
  readonly #place: FolderReader;
  readonly #options: ReadOptions;
  #weights: Promise<FolderWeights> | undefined;

  /** @param names the files of the folder, without its path. */
  constructor(
    place: FolderReader,
    readonly folder: string,
    readonly names: readonly string[],
    options: ReadOptions,
  ) {
    this.#place = place;
    this.#options = options;
  }

  /** `config.json`. @throws CheckpointError also if it is missing. */
  async config(): Promise<JsonObject> {
    const config = await this.json(CONFIG);
    if (config) return config;
    throw new CheckpointError({
      component: this.folder || 'the folder',
      expected: `'${CONFIG}'`,
      actual: this.names.length > 0 ? `${this.names.length} other files` : 'no file at all',
    });
  }

  /** `generation_config.json`. */
  generationConfig(): Promise<JsonObject | undefined> {
    return this.json('generation_config.json');
  }

  /** `preprocessor_config.json`: how pictures are prepared. */
  preprocessorConfig(): Promise<JsonObject | undefined> {
    return this.json('preprocessor_config.json');
  }

  /** `processor_config.json`: how pictures and text are joined. */
  processorConfig(): Promise<JsonObject | undefined> {
    return this.json('processor_config.json');
  }

  /** `tokenizer.json`. */
  tokenizer(): Promise<JsonObject | undefined> {
    return this.json('tokenizer.json');
  }

  /** `tokenizer_config.json`. */
  tokenizerConfig(): Promise<JsonObject | undefined> {
    return this.json('tokenizer_config.json');
  }

  /** `chat_template.jinja`, which newer files have beside `tokenizer_config.json`. */
  chatTemplate(): Promise<string | undefined> {
    return this.text('chat_template.jinja');
  }

  /** Any other file that holds a JSON object. */
  async json(name: string): Promise<JsonObject | undefined> {
    const text = await this.text(name);
    return text === undefined ? undefined : parseObject(text, inFolder(this.folder, name));
  }

  /** Any other file that holds text in UTF-8. */
  async text(name: string): Promise<string | undefined> {
    if (!this.names.includes(name)) return undefined;
    return readText(this.#place, inFolder(this.folder, name), this.#options);
  }

  /**
   * The tensors of `model.safetensors`, or of all shards as one. Opened once, read tensor by tensor.
   * @throws CheckpointError also if there are none, or where shards and index contradict each other.
   */
  async weights(): Promise<WeightSource> {
    this.#weights ??= openWeights(this.#place, this.folder, this.names, this.#options);
    const opening = this.#weights;
    try {
      return (await opening).weights;
    } catch (error) {
      // Another try may find the connection back.
      if (this.#weights === opening) this.#weights = undefined;
      throw error;
    }
  }

  /** Closes the weights, if they were opened. */
  async close(): Promise<void> {
    const opened = await this.#weights?.catch(() => undefined);
    this.#weights = undefined;
    if (opened) await closeAll(opened.files);
  }
}

/**
 * Opens a folder with a model in the layout of Hugging Face: in a storage, among picked files, or on a server.
 * @throws CheckpointError if the place cannot be listed.
 */
export async function openModelFolder(
  place: FolderReader,
  { folder = '', ...options }: OpenFolderOptions = {},
): Promise<ModelFolder> {
  options.signal?.throwIfAborted();
  const paths = await place.list(folder === '' ? undefined : folder);
  const prefix = folder === '' ? 0 : folder.length + 1;
  return new ModelFolder(
    place,
    folder,
    paths.map((path) => path.slice(prefix)),
    options,
  );
}
