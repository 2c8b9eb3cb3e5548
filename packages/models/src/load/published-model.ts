import {
  type CheckpointStorage,
  type JsonObject,
  type NameMap,
  type SaveFolderOptions,
  saveModelFolder,
  saveWeights,
} from '@mmllm/checkpoints';
import {
  ConfigError,
  type ImageFeatures,
  type ModelInputs,
  type ModelParts,
  MultimodalModel,
  type Processor,
} from '@mmllm/core';
import { answerLoss } from '@mmllm/trainer';
import type { Scalar } from '@tensorflow/tfjs-core';
import type { PublishedStage } from '../stages';
import type { System } from '../system';
import { nodeOnly } from './place';

/** What a model brings along that was published as files. */
export interface Published {
  readonly system: System;
  /** `config.json` */
  readonly config: JsonObject;
  /** The names of its parameters in its files. */
  readonly names: NameMap;
  readonly imageTokenId: number;
  /** Further files, by name. */
  readonly files: Readonly<Record<string, string>>;
}

export type SaveModelOptions = Pick<SaveFolderOptions, 'dtype' | 'maxShardBytes' | 'onProgress' | 'signal'>;

/** A published model, from its files. Made by `loadModel`. */
export class PublishedModel extends MultimodalModel {
  readonly #published: Published;

  constructor(parts: ModelParts, published: Published) {
    super(parts);
    this.#published = published;
  }

  get system(): System {
    return this.#published.system;
  }

  /** Its `config.json`. */
  get config(): JsonObject {
    return this.#published.config;
  }

  /** The token that stands for pictures. */
  get imageTokenId(): number {
    return this.#published.imageTokenId;
  }

  /** The names of its parameters in its files. */
  get names(): NameMap {
    return this.#published.names;
  }

  /** How it was trained, stage by stage. */
  get stages(): readonly PublishedStage[] {
    return this.system.stages;
  }

  /** @throws ConfigError if its files say nothing of one. */
  override get processor(): Processor {
    if (this.hasProcessor) return super.processor;
    throw new ConfigError({
      component: `model.processor of ${this.system.name}`,
      expected: "'tokenizer.json' and the processor's configuration beside 'config.json'",
      actual: 'neither',
      hint: 'Pass { processor } to loadModel, or call with prepared inputs.',
    });
  }

  /**
   * Next-token prediction of the labels, averaged over those that count, and what a mixture of experts adds to it,
   * float32[]. The caller owns it.
   * @param features projected features, where they are known already; they stay the caller's.
   * @throws ConfigError for inputs without labels.
   */
  loss(inputs: ModelInputs, features?: ImageFeatures): Scalar {
    return answerLoss(this, inputs, features);
  }

  /**
   * Writes the model as a new folder in the layout that it was published in, with its tokenizer and processor files; all
   * of it appears together, or nothing does.
   *
   * @param folder a directory (Node), or a new folder of a storage.
   * @throws CheckpointError if the folder exists or cannot be written.
   */
  async save(folder: string, options?: SaveModelOptions): Promise<void>;
  async save(storage: CheckpointStorage, folder: string, options?: SaveModelOptions): Promise<void>;
  async save(
    place: string | CheckpointStorage,
    ...rest: readonly (string | SaveModelOptions | undefined)[]
  ): Promise<void> {
    const [storage, folder] = typeof place === 'string' ? await directory(place) : [place, rest[0] as string];
    const options = (typeof place === 'string' ? rest[0] : rest[1]) as SaveModelOptions | undefined;
    const { config, files, names } = this.#published;
    await saveModelFolder(storage, folder, { ...options, config, files, weights: saveWeights(this, names) });
  }
}

async function directory(path: string): Promise<[storage: CheckpointStorage, folder: string]> {
  const { basename, dirname, resolve } = await nodeOnly<typeof import('node:path')>('node:path');
  const { fileStorage } = await nodeOnly<typeof import('@mmllm/checkpoints/node')>('@mmllm/checkpoints/node');
  const whole = resolve(path);
  return [fileStorage(dirname(whole)), basename(whole)];
}
