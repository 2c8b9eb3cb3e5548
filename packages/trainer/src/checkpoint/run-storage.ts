import type { CheckpointStorage } from '@mmllm/checkpoints';
import { CheckpointError, type Module } from '@mmllm/core';
import { encodeState, readState, type TrainingState } from './state';
import { decodeParameters, encodeParameters } from './tensors';

/** What a checkpoint holds. */
export interface Snapshot {
  readonly parameters: Module;
  readonly optimizer: Module;
  readonly state: Omit<TrainingState, 'format' | 'version'>;
}

const folderName = /^(\d+)-[\w-]+-(\d+)$/;

/** The checkpoints of one run: a folder each, such as `02-instruct-000500`, complete or not there at all. */
export class RunStorage {
  constructor(
    private readonly storage: CheckpointStorage,
    private readonly keep: number,
  ) {}

  /**
   * Writes a checkpoint, then removes the oldest ones. Returns its folder.
   * @throws NonFiniteError for a value that is no finite number; then nothing is written or removed.
   */
  async save({ parameters, optimizer, state }: Snapshot): Promise<string> {
    const pad = (value: number, digits: number) => String(value).padStart(digits, '0');
    const folder = `${pad(state.stages.length, 2)}-${state.stage}-${pad(state.step, 6)}`;
    await this.storage.commit(folder, async (files) => {
      await files.write('model.safetensors', encodeParameters(parameters));
      await files.write('optimizer.safetensors', encodeParameters(optimizer, 'optimizer.'));
      await files.write('state.json', encodeState(state));
    });
    for (const old of (await this.folders()).slice(0, -this.keep)) await this.storage.remove(old);
    return folder;
  }

  /** Folder of the newest checkpoint; undefined if there is none. */
  async newest(): Promise<string | undefined> {
    return (await this.folders()).at(-1);
  }

  /** The newest checkpoint; undefined if there is none. */
  async latest(): Promise<{ folder: string; state: TrainingState } | undefined> {
    const folder = await this.newest();
    if (folder === undefined) return undefined;
    return { folder, state: await readState(this.storage, `${folder}/state.json`) };
  }

  /** @throws CheckpointError if a run has left checkpoints here. */
  async refuseEarlierRun(): Promise<void> {
    const [first] = await this.folders();
    if (first === undefined) return;
    throw new CheckpointError({
      component: 'checkpoints',
      expected: 'a place without checkpoints for a new run',
      actual: `one with '${first}'`,
      hint: 'Pass resume: true to go on with that run, or take another place.',
    });
  }

  loadParameters(folder: string, parameters: Module): Promise<void> {
    return decodeParameters(parameters, this.storage, `${folder}/model.safetensors`);
  }

  loadOptimizer(folder: string, optimizer: Module): Promise<void> {
    return decodeParameters(optimizer, this.storage, `${folder}/optimizer.safetensors`);
  }

  /** Oldest first. */
  private async folders(): Promise<string[]> {
    const names = new Set((await this.storage.list()).map((path) => path.split('/', 1)[0]));
    const order = (name: string) => folderName.exec(name)?.slice(1).map(Number);
    return [...names]
      .flatMap((name) => {
        const place = order(name);
        return place ? [{ name, place }] : [];
      })
      .sort((a, b) => a.place[0] - b.place[0] || a.place[1] - b.place[1])
      .map(({ name }) => name);
  }
}
