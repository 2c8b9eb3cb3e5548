import type { CheckpointStorage } from '@mmllm/checkpoints';
import type { Module } from '@mmllm/core';
import { RunStorage } from './checkpoint/run-storage';
import { checkSameRun } from './checkpoint/state';
import type { EmitEvent, TrainingEvent, TrainingStep } from './events';
import { openFolder, openLines } from './node';
import { type TrainingRun, trainingRun } from './run';
import { check, planStages, type Stage } from './stage';
import { type RunContext, type SavedStage, StageRun } from './stage-run';

/** `S`: the kinds of samples of the stages, inferred. */
export interface TrainOptions<S extends readonly unknown[] = readonly never[]> {
  /** Run one after the other, each with an optimiser of its own. */
  readonly stages: readonly [...{ [K in keyof S]: Stage<S[K]> }];
  /** Samples to a batch, where a stage says nothing else. Default 16. */
  readonly batchSize?: number;
  /** Of the order of samples, augmentation, and parameters that objectives bring along. Default 0. */
  readonly seed?: number;
  /** Where checkpoints go: a folder, in Node, or any storage. Default: nowhere. */
  readonly checkpoints?: string | CheckpointStorage;
  /** Steps from one checkpoint to the next; there is one at the end of every stage as well. Default 500. */
  readonly checkpointEvery?: number;
  /** How many of the newest checkpoints are kept. Default 2. */
  readonly keepCheckpoints?: number;
  /** Go on after the newest checkpoint, or begin if there is none. Default false. */
  readonly resume?: boolean;
  /**
   * Memory for features of frozen parts, in bytes; pictures beyond it are encoded anew each time. Default 512 MiB.
   * A GPU's kernels depend on the number of pictures, so that after a resume kept features may differ there in their
   * last bits; 0 keeps none and makes a resumed run exact on a GPU too.
   */
  readonly featureCacheBytes?: number;
  /**
   * Aborting finishes the current step, writes a checkpoint, and rejects with the signal's reason, so that nobody
   * takes a half-trained model for a trained one.
   */
  readonly signal?: AbortSignal;
  /** A file, in Node, that every event is appended to as a line of JSON. */
  readonly log?: string;
  readonly onEvent?: (event: TrainingEvent) => void;
}

/**
 * Trains a model stage by stage. Nothing runs before the result is read or awaited; errors come from there.
 *
 * The same seed, backend and data give the same losses and weights to the last bit, whether the run was interrupted
 * and resumed or not (see `featureCacheBytes` for GPUs). Nothing is allocated that outlives the run, except the
 * parameters that an objective brings along: these are the caller's to free (see `disposeExcept`).
 *
 * @param model usually of `composeModel`; a tower or a tokenizer alone needs stages with an objective.
 * @throws FreezePolicyError before the first step, if the policy of any stage leaves a parameter unmatched or has
 * a pattern that matches none.
 * @throws ConfigError for settings out of range.
 * @throws NonFiniteError at a loss or gradient that is no finite number, where the step is not applied; or at such a
 * parameter, where the checkpoint is not written.
 * @throws CheckpointError if a checkpoint cannot be read or belongs to another run.
 */
export function train<S extends readonly unknown[]>(model: Module, options: TrainOptions<S>): TrainingRun {
  return trainingRun(runStages(model, options));
}

async function* runStages<S extends readonly unknown[]>(
  model: Module,
  options: TrainOptions<S>,
): AsyncGenerator<TrainingStep, void> {
  const { batchSize = 16, seed = 0, resume = false, keepCheckpoints = 2, checkpoints, signal } = options;
  const { checkpointEvery = 500, featureCacheBytes = 512 * 2 ** 20 } = options;
  for (const [key, value] of Object.entries({ checkpointEvery, keepCheckpoints })) {
    check(key, Number.isSafeInteger(value) && value > 0, 'a positive whole number', String(value));
  }
  const stages = planStages<S[number]>(model, options.stages, { batchSize, seed });
  const storage = checkpoints ? new RunStorage(await storageOf(checkpoints), keepCheckpoints) : undefined;
  const log = options.log === undefined ? undefined : await openLines(options.log);
  const emit: EmitEvent = async (event) => {
    options.onEvent?.(event);
    await log?.write(JSON.stringify({ time: new Date().toISOString(), ...event }));
  };
  const run: RunContext = { model, stages, seed, storage, checkpointEvery, featureCacheBytes, signal, emit };
  try {
    const runs = stages.map((_, index) => new StageRun(run, index));
    if (!resume) await storage?.refuseEarlierRun();
    const saved = resume ? await lastCheckpoint(run) : undefined;
    const first = saved ? saved.state.stages.length - 1 : 0;
    for (let index = first; index < runs.length; index++) {
      yield* runs[index].steps(index === first ? saved : undefined);
    }
  } finally {
    await log?.close();
  }
}

/** @throws CheckpointError if its run had other settings. */
async function lastCheckpoint({ storage, stages, seed }: RunContext): Promise<SavedStage | undefined> {
  const saved = await storage?.latest();
  const configs = stages.map(({ config }) => config);
  if (saved) checkSameRun(`${saved.folder}/state.json`, saved.state, { seed, stages: configs });
  return saved;
}

async function storageOf(checkpoints: string | CheckpointStorage): Promise<CheckpointStorage> {
  return typeof checkpoints === 'string' ? openFolder(checkpoints) : checkpoints;
}
