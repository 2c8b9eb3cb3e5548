import type { CheckpointStorage } from '@mmllm/checkpoints';
import { CheckpointError } from '@mmllm/core';
import { version } from '../../package.json';
import type { StageConfig } from '../stage';

const format = 'mmllm-training/v1';

/** Where a run stands, next to its weights. */
export interface TrainingState {
  readonly format: typeof format;
  /** Version of this package. */
  readonly version: string;
  readonly seed: number;
  /** Name of the stage, and how many of its steps are done. */
  readonly stage: string;
  readonly step: number;
  /** Settings of all stages so far, which must be the same to go on. */
  readonly stages: readonly StageConfig[];
  /** Optimiser steps of each trained parameter. */
  readonly updates: Readonly<Record<string, number>>;
}

export function encodeState(state: Omit<TrainingState, 'format' | 'version'>): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ format, version, ...state }, undefined, 2)}\n`);
}

/** @throws CheckpointError naming the file, if it is cut off, or of another format. */
export async function readState(storage: CheckpointStorage, name: string): Promise<TrainingState> {
  const source = await storage.open(name);
  try {
    const state: unknown = JSON.parse(new TextDecoder().decode(await source.read(0, source.size)));
    if (isState(state)) return state;
  } catch (cause) {
    throw new CheckpointError({
      component: source.name,
      expected: 'JSON',
      actual: 'a file cut off or changed',
      cause,
    });
  } finally {
    await source.close?.();
  }
  throw new CheckpointError({
    component: source.name,
    expected: `a state of format ${format}`,
    actual: 'another one',
  });
}

function isState(value: unknown): value is TrainingState {
  if (typeof value !== 'object' || value === null) return false;
  const {
    format: its,
    seed,
    stage,
    step,
    stages,
    updates,
  } = value as Partial<Record<keyof TrainingState, unknown>>;
  const types = [typeof seed, typeof stage, typeof step, typeof updates].join();
  return (
    its === format &&
    updates !== null &&
    types === 'number,string,number,object' &&
    Array.isArray(stages) &&
    stages.length > 0
  );
}

/** @throws CheckpointError naming the first trained parameter without a number of steps. */
export function checkUpdates(
  name: string,
  updates: TrainingState['updates'],
  paths: readonly string[],
): void {
  const bad = paths.find((path) => !Number.isSafeInteger(updates[path]) || updates[path] < 0);
  if (bad === undefined) return;
  throw new CheckpointError({
    component: name,
    expected: `the number of optimiser steps of '${bad}'`,
    actual: String(updates[bad] ?? 'none'),
  });
}

/**
 * Checks that a run goes on as it began.
 * @throws CheckpointError naming the first setting that differs.
 */
export function checkSameRun(
  name: string,
  saved: Pick<TrainingState, 'seed' | 'stages'>,
  current: Pick<TrainingState, 'seed' | 'stages'>,
): void {
  const same = (key: string, before: unknown, now: unknown) => {
    const [expected, actual] = [JSON.stringify(before), JSON.stringify(now)];
    if (expected === actual) return;
    throw new CheckpointError({
      component: name,
      expected: `${key} ${expected}, as when the run began`,
      actual: actual ?? 'nothing',
      hint: 'Resume with the same settings, or start anew in another place.',
    });
  };
  same('seed', saved.seed, current.seed);
  saved.stages.forEach((stage, i) => {
    for (const key of Object.keys(stage) as (keyof StageConfig)[]) {
      same(`stage '${stage.name}'.${key}`, stage[key], current.stages[i]?.[key]);
    }
  });
}
