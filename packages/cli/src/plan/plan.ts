import { registerGradients } from '@mmllm/backends';
import {
  ConfigError,
  type MultimodalModel,
  type Parameter,
  parseConfig,
  WEIGHT_TYPES,
  type WeightType,
} from '@mmllm/core';
import { holdWeights } from '@mmllm/nn';
import { type FreezePolicy, resolvePolicy } from '@mmllm/trainer';
import { z } from 'zod';
import { type BatchSizes, headLength } from './batch';
import { type CountingBackend, type Peak, whileCounting } from './counting';
import { type PlannedModel, plannedModel } from './model';
import { policyOf } from './stage';
import { inferenceStep, type StepCost, trainingStep } from './step';
import { fillShapeOnly } from './weights';

const size = z
  .int()
  .positive()
  .max(2 ** 24);

const schema = z.strictObject({
  stage: z.string().max(100).default('all'),
  batch: size.default(1),
  length: size.optional(),
  images: z.int().nonnegative().max(1024).optional(),
  answer: size.optional(),
  dtype: z.enum(WEIGHT_TYPES).default('float32'),
  optimizer: z.enum(['adamw']).default('adamw'),
  gradientCheckpointing: z.boolean().default(false),
  memory: z.int().positive().optional(),
});

export interface PlanOptions {
  /** A stage of the system, `all` for everything trained, or `inference` for nothing. Default `all`. */
  readonly stage?: string;
  /** Samples to a step. Default 1. */
  readonly batch?: number;
  /**
   * Tokens of a sample, pictures included. Default: 2048, or what the pictures take and 512, and at most the decoder's
   * `maxLength`.
   */
  readonly length?: number;
  /** Pictures of a sample, each the largest that the encoder takes. Default 1 for a model that sees, else 0. */
  readonly images?: number;
  /** Tokens of a sample that the loss counts. Default: all text behind the pictures, the most there can be. */
  readonly answer?: number;
  /** What matrices are held as that are frozen; others are float32. Default float32. */
  readonly dtype?: WeightType;
  readonly optimizer?: 'adamw';
  /** As of a stage of the trainer. Default false. */
  readonly gradientCheckpointing?: boolean;
  /** Bytes that there are. */
  readonly memory?: number;
}

/** What a step takes, in bytes and operations, before anything is allocated. */
export interface Plan {
  readonly stage: string;
  readonly batch: number;
  readonly length: number;
  readonly images: number;
  readonly dtype: string;
  readonly parameters: number;
  readonly trained: number;
  /** Bytes of all parameters. */
  readonly weights: number;
  /** Bytes of the gradients, once all are there. */
  readonly gradients: number;
  /** Bytes of the optimiser's state. */
  readonly optimizer: number;
  /**
   * Bytes that the pass forward leaves for the pass back, with the batch and its pictures; in inference the most that there
   * are at a time.
   */
  readonly activations: number;
  /** Bytes of keys and values of all tokens but the last; 0 in training. */
  readonly kvCache: number;
  /** The most bytes at a time: less than the sum of the parts, as activations go while gradients come. */
  readonly peak: Peak;
  /** Of products alone: see the README. */
  readonly flops: { readonly forward: number; readonly backward: number };
  /** What fits, where the memory is known. */
  readonly fit?: {
    readonly memory: number;
    readonly fits: boolean;
    /** The largest batch that does; 0 if none. */
    readonly largestBatch: number;
  };
}

/**
 * Plans a step of the model that a parsed `config.json` describes.
 * @throws ConfigError for a model without a decoder and for options out of range; ContextLengthError for a length that
 * pictures fill, or that exceeds the decoder's.
 */
export async function planConfig(json: unknown, options: PlanOptions = {}): Promise<Plan> {
  return planModel(await plannedModel(json), options);
}

/**
 * Plans a step of a model that is shape-only, and is so again afterwards. It runs the trainer's own step, or the decoder's
 * own generation, on a backend of tfjs that has shapes and no data; nothing else of tfjs may run in the meantime.
 * @throws as `planConfig`; ConfigError for a model that has weights.
 */
export async function planModel(planned: PlannedModel, options: PlanOptions = {}): Promise<Plan> {
  const { model, stages } = planned;
  const given = parseConfig('plan', schema, options);
  const { stage, batch, dtype, images = model.encoder ? 1 : 0 } = given;
  const { length = usualLength(planned, images) } = given;
  const policy = policyOf(stage, stages);
  const trained = policy ? trainedBy(model, policy) : new Set<Parameter>();
  checkShapeOnly(model);
  registerGradients();
  return whileCounting(async (backend) => {
    try {
      await holdFrozen(model, trained, dtype);
      fillShapeOnly(model, backend);
      const weights = backend.bytes;
      const run = (batch: number) =>
        stepOf(backend, planned, { batch, length, images, answer: given.answer }, policy, given);
      const cost = await run(batch);
      const gradients = 4 * [...trained].reduce((sum, parameter) => sum + parameter.size, 0);
      // The means of AdamW.
      const optimizer = 2 * gradients;
      const { memory } = given;
      return {
        ...{ stage, batch, length, images, dtype },
        parameters: model.countParameters(),
        trained: gradients / 4,
        ...{ weights, gradients, optimizer },
        activations: (policy ? cost.kept : cost.peak.bytes) - weights - optimizer - cost.kvCache,
        kvCache: cost.kvCache,
        peak: cost.peak,
        flops: cost.flops,
        ...(memory !== undefined && { fit: await fitOf(memory, cost, run) }),
      };
    } finally {
      model.dispose();
      await holdWeights(model, 'float32');
    }
  });
}

/** @throws ConfigError for a model with weights, which are on another backend. */
function checkShapeOnly(model: MultimodalModel): void {
  for (const [path, { ready }] of model.namedParameters()) {
    if (!ready) continue;
    throw new ConfigError({
      component: 'plan',
      expected: 'a shape-only model',
      actual: `weights of ${path}`,
    });
  }
}

async function holdFrozen(
  model: MultimodalModel,
  trained: ReadonlySet<Parameter>,
  dtype: WeightType,
): Promise<void> {
  const parameters = new Map(model.namedParameters());
  await holdWeights(model, (path) => (trained.has(parameters.get(path)!) ? 'float32' : dtype));
}

async function fitOf(
  memory: number,
  { peak }: StepCost,
  run: (batch: number) => Promise<StepCost>,
): Promise<NonNullable<Plan['fit']>> {
  const fits = async (batch: number) => (await run(batch)).peak.bytes <= memory;
  return { memory, fits: peak.bytes <= memory, largestBatch: await largest(fits) };
}

/** Room for some text, whatever the pictures take, as far as the decoder has it. */
function usualLength({ model, text }: PlannedModel, images: number): number {
  return Math.min(Math.max(2048, headLength(model, images, text) + 512), model.decoder.maxLength);
}

/** The trainer resolves policies below the parts of a model, as here. */
function trainedBy(model: MultimodalModel, policy: FreezePolicy): Set<Parameter> {
  const { trained } = resolvePolicy(model, policy, { learningRate: 1e-3, weightDecay: 0 }, 'plan stage');
  return new Set(trained.map(({ parameter }) => parameter));
}

function stepOf(
  backend: CountingBackend,
  { model, text }: PlannedModel,
  sizes: BatchSizes,
  policy: FreezePolicy | undefined,
  { gradientCheckpointing }: { readonly gradientCheckpointing: boolean },
): Promise<StepCost> {
  if (!policy) return inferenceStep(backend, model, text, sizes);
  return trainingStep(backend, model, text, sizes, { policy, gradientCheckpointing });
}

/** Batches beyond this are not tried. */
const MOST = 2 ** 16;

/** The largest number that fits, where all smaller ones do too; 0 if 1 does not. */
async function largest(fits: (count: number) => Promise<boolean>): Promise<number> {
  let [least, most] = [0, 1];
  while (most <= MOST && (await fits(most))) [least, most] = [most, 2 * most];
  while (most - least > 1) {
    const middle = Math.floor((least + most) / 2);
    if (await fits(middle)) least = middle;
    else most = middle;
  }
  return least;
}
