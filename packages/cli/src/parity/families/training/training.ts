import { type NameMap, saveWeights, toTheirs } from '@mmllm/checkpoints';
import { type Module, parseConfig } from '@mmllm/core';
import { frozen, type SampleSource, type TrainingRun, trained } from '@mmllm/trainer';
import { z } from 'zod';
import type { ParityCase } from '../../case';
import type { Comparison } from '../../comparison';

const stageSchema = z.looseObject({
  name: z.string(),
  trained: z.array(z.string()),
  lr: z.number(),
  steps: z.int().positive(),
  warmup: z.int().nonnegative(),
  weight_decay: z.number(),
  clip: z.number(),
  accumulate: z.int().positive(),
  log: z.array(z.object({ loss: z.number(), grad_norm: z.number(), lr: z.number() })),
});

const schema = z.looseObject({
  stages: z.array(stageSchema).min(1),
  frozen: z.array(z.string()),
  final_norms: z.record(z.string(), z.number()),
});

type GoldenStage = z.output<typeof stageSchema>;

/** A model with the weights of a case before its first step, and how the case calls them. */
export interface TrainedModel {
  readonly model: Module;
  readonly names: NameMap;
  /** transformers' name in memory of a tensor of the file. */
  readonly inMemory: (key: string) => string;
}

/** The stages of a case, as `train` takes them but for the data: what is not trained is frozen. */
export function stagesOf(golden: ParityCase, { model, names, inMemory }: TrainedModel) {
  return goldenStages(golden).map((stage) => {
    const all = [...model.namedParameters()];
    const paths = all.flatMap(([path, { shape }]) => {
      const keys = toTheirs(names, path, shape[0]).map(({ key }) => inMemory(key));
      return keys.some((key) => stage.trained.includes(key)) ? [path] : [];
    });
    const everything = paths.length === all.length;
    return {
      name: stage.name,
      learningRate: stage.lr,
      steps: stage.steps,
      warmupSteps: stage.warmup,
      weightDecay: stage.weight_decay,
      clipNorm: stage.clip,
      accumulate: stage.accumulate,
      policy: [
        ...paths.map((path) => [path, trained()] as const),
        ...(everything ? [] : [['**', frozen] as const]),
      ],
    };
  });
}

/** Samples in the order of PyTorch's run, whatever the shuffled order asks for. */
export function inOrder<S>(samples: readonly S[]): SampleSource<S> {
  let taken = 0;
  return { length: samples.length, get: () => samples[taken++ % samples.length] };
}

/** How many batches a case has. */
export const countBatches = ({ names }: ParityCase): number =>
  names.filter((name) => /^in\.\d+\.input_ids$/.test(name)).length;

/**
 * Compares loss, gradient norm and learning rate of every step, the weights after each stage, the norm of every tensor in
 * the end, and, bit by bit, what had to stay as it was. All that is trained must have changed.
 */
export async function compareRun(
  run: TrainingRun,
  trainedModel: TrainedModel,
  golden: ParityCase,
  comparison: Comparison,
): Promise<void> {
  const before = await weightsOf(trainedModel);
  const stages = new Map(goldenStages(golden).map((stage) => [stage.name, stage]));
  for await (const { stage, step, steps, loss, gradientNorm, learningRate } of run) {
    const expected = stages.get(stage)!.log[step - 1];
    const name = `${stage}.step.${step}`;
    comparison.giveValue(`${name}.loss`, loss, expected.loss);
    comparison.giveValue(`${name}.grad_norm`, gradientNorm, expected.grad_norm);
    // A schedule is exact, and a rate far below the tolerance of a loss.
    comparison.giveValue(`${name}.lr`, learningRate, expected.lr, 1e-12);
    if (step === steps) await compareWeights(stage, await weightsOf(trainedModel), comparison);
  }
  const { frozen: unchanged, final_norms } = parsed(golden);
  const after = await weightsOf(trainedModel);
  for (const [key, norm] of Object.entries(final_norms)) {
    const values = after.get(key)?.data ?? new Float32Array();
    comparison.giveValue(`final_norms.${key}`, Math.hypot(...values), norm);
  }
  const isSame = (key: string): boolean | undefined => {
    const [old, now] = [before.get(key)?.data, after.get(key)?.data];
    return old && now && old.every((value, i) => Object.is(value, now[i]));
  };
  for (const key of unchanged) {
    if (!isSame(key)) comparison.failures.push(`${key}: expected the same bits after training, got others`);
  }
  for (const key of new Set([...stages.values()].flatMap((stage) => stage.trained))) {
    if (isSame(key) !== false) comparison.failures.push(`${key}: expected training to change it`);
  }
}

const parsed = ({ description }: ParityCase) =>
  parseConfig('case.json', schema, description as z.input<typeof schema>);

const goldenStages = (golden: ParityCase): GoldenStage[] => parsed(golden).stages;

interface Weights {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** All weights in the layout of the file, by their names in memory. */
async function weightsOf({ model, names, inMemory }: TrainedModel): Promise<Map<string, Weights>> {
  const weights = new Map<string, Weights>();
  for (const [key, { shape, read }] of saveWeights(model, names)) {
    weights.set(inMemory(key), { shape, data: ((await read()) as Float32Array).slice() });
  }
  return weights;
}

async function compareWeights(
  stage: string,
  weights: ReadonlyMap<string, Weights>,
  comparison: Comparison,
): Promise<void> {
  for (const [key, tensor] of weights) {
    const name = `out.final.${stage}.${key}`;
    if (comparison.wants(name)) await comparison.give(name, tensor);
  }
}
