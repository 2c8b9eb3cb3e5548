import { ConfigError, type Module, MultimodalModel, type Sample } from '@mmllm/core';
import { type Dataset, isAugmented, SampleStream } from './data';
import type { Objective, Packing } from './objective';
import { languageModelling } from './objectives/language-modelling';
import type { FreezePolicy } from './policy';
import type { ScheduleShape } from './schedule';

interface StageSettings {
  /** Letters, digits, `-` and `_`; each stage has a name of its own. */
  readonly name: string;
  readonly policy: FreezePolicy;
  /** Number of steps, or else how often every sample is seen. */
  readonly steps?: number;
  readonly epochs?: number;
  /** Samples to a batch. Default: that of the run. */
  readonly batchSize?: number;
  /** Batches to a step; their gradients are averaged by `weight` of the batches. Default 1. */
  readonly accumulate?: number;
  /** At the top of the schedule. Default 1e-3. */
  readonly learningRate?: number;
  /** Steps of linear rise. Default: 3 % of the steps. */
  readonly warmupSteps?: number;
  /** Default `cosine`, down to zero. */
  readonly schedule?: ScheduleShape;
  /** Decoupled decay of all but norms and biases. Default 0.01. */
  readonly weightDecay?: number;
  /** Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly eps?: number;
  /** Largest norm of all gradients together; `Infinity` for none. Default 1. */
  readonly clipNorm?: number;
  /**
   * Keep only the input of each decoder layer for the backward pass, which computes the rest again: the same bits, in
   * less memory and more time. Default false.
   */
  readonly gradientCheckpointing?: boolean;
  /** Pack the samples of a batch into rows of at most `length` tokens, which saves padding. Default: a row each. */
  readonly packing?: Packing;
}

/** A stage over samples of the objective's kind. */
export interface ObjectiveStage<S> extends StageSettings {
  readonly data: Dataset<S>;
  readonly objective: Objective<S>;
}

/** A stage of language modelling over questions with answers. */
export interface LanguageStage extends StageSettings {
  readonly data: Dataset<Sample>;
  readonly objective?: undefined;
}

/** One part of a training: what learns, from what, towards what, and how fast. */
export type Stage<S = Sample> = ObjectiveStage<S> | LanguageStage;

/** A stage with everything filled in, in numbers that can be compared with a checkpoint's. */
export interface StageConfig {
  readonly name: string;
  readonly objective: string;
  readonly policy: FreezePolicy;
  readonly samples: number;
  readonly steps: number;
  readonly batchSize: number;
  readonly accumulate: number;
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly schedule: ScheduleShape;
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly clipNorm: number;
  readonly packing?: Packing;
}

/** A stage, ready to run. Nothing of it depends on whether a run was resumed. */
export interface PlannedStage {
  readonly config: StageConfig;
  readonly objective: Objective<unknown>;
  readonly samples: SampleStream<unknown>;
  readonly augmented: boolean;
  /** No part of the config: it changes no bit. */
  readonly gradientCheckpointing: boolean;
}

/** @throws ConfigError for values out of range and names that clash. */
export function planStages<S>(
  model: Module,
  stages: readonly Stage<S>[],
  { batchSize, seed }: { batchSize: number; seed: number },
): PlannedStage[] {
  if (stages.length === 0)
    throw new ConfigError({ component: 'stages', expected: 'at least one', actual: 'none' });
  const names = new Set<string>();
  return stages.map((stage) => {
    check('stages', /^[\w-]+$/.test(stage.name), 'names of letters, digits, - and _', `'${stage.name}'`);
    check('stages', !names.has(stage.name), 'different names', `'${stage.name}' twice`);
    names.add(stage.name);
    // A stage ties its samples to its objective; from here on only these two meet.
    const objective = (stage.objective ?? defaultObjective(model, stage.name)) as Objective<unknown>;
    const config = fillIn(stage, objective.name, batchSize);
    checkRanges(config);
    const samples = new SampleStream<unknown>(stage.data, seed, stage.name);
    const { data, gradientCheckpointing = false } = stage;
    return { config, objective, samples, augmented: isAugmented(data), gradientCheckpointing };
  });
}

function defaultObjective(model: Module, stage: string): Objective<Sample> {
  if (model instanceof MultimodalModel) return languageModelling(model);
  const actual = `none, for a ${model.constructor.name}`;
  throw new ConfigError({ component: `stage '${stage}'.objective`, expected: 'an objective', actual });
}

function fillIn(
  stage: StageSettings & { readonly data: { readonly length: number } },
  objective: string,
  defaultBatchSize: number,
): StageConfig {
  const { batchSize = defaultBatchSize, accumulate = 1 } = stage;
  const steps =
    stage.steps ?? Math.ceil(((stage.epochs ?? Number.NaN) * stage.data.length) / (batchSize * accumulate));
  const once = stage.steps === undefined || stage.epochs === undefined;
  check(
    `stage '${stage.name}'`,
    once && !Number.isNaN(steps),
    'either steps or epochs',
    once ? 'neither' : 'both',
  );
  return {
    name: stage.name,
    objective,
    policy: stage.policy,
    samples: stage.data.length,
    steps,
    batchSize,
    accumulate,
    learningRate: stage.learningRate ?? 1e-3,
    warmupSteps: stage.warmupSteps ?? Math.ceil(0.03 * steps),
    schedule: stage.schedule ?? 'cosine',
    weightDecay: stage.weightDecay ?? 0.01,
    betas: stage.betas ?? [0.9, 0.999],
    eps: stage.eps ?? 1e-8,
    clipNorm: stage.clipNorm ?? 1,
    // Left out otherwise, so that checkpoints of before go on.
    ...(stage.packing && { packing: { length: stage.packing.length } }),
  };
}

function checkRanges(config: StageConfig): void {
  const range = (key: keyof StageConfig, valid: boolean, expected: string) =>
    check(`stage '${config.name}'.${key}`, valid, expected, String(config[key]));
  for (const key of ['steps', 'batchSize', 'accumulate'] as const) {
    range(key, Number.isSafeInteger(config[key]) && config[key] > 0, 'a positive whole number');
  }
  range('warmupSteps', Number.isSafeInteger(config.warmupSteps) && config.warmupSteps >= 0, 'a whole number');
  range('schedule', ['cosine', 'constant'].includes(config.schedule), "'cosine' or 'constant'");
  for (const key of ['learningRate', 'weightDecay'] as const) {
    range(key, Number.isFinite(config[key]) && config[key] >= 0, 'a number from 0 on');
  }
  range(
    'betas',
    config.betas.every((beta) => beta >= 0 && beta < 1),
    'two numbers from 0 to 1, without 1',
  );
  const { packing } = config;
  const length = packing?.length ?? 1;
  check(
    `stage '${config.name}'.packing.length`,
    Number.isSafeInteger(length) && length > 0,
    'a positive whole number',
    String(length),
  );
  for (const key of ['eps', 'clipNorm'] as const) range(key, config[key] > 0, 'a positive number');
}

/** @throws ConfigError unless `valid`. */
export function check(component: string, valid: boolean, expected: string, actual: string): void {
  if (!valid) throw new ConfigError({ component, expected, actual });
}
