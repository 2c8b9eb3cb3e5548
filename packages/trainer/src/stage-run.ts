import type { Module } from '@mmllm/core';
import type { RunStorage } from './checkpoint/run-storage';
import { checkUpdates, type TrainingState } from './checkpoint/state';
import type { EmitEvent, TrainingStep } from './events';
import { FeatureCache } from './features/feature-cache';
import { nonFiniteError } from './finite';
import { StepGradients } from './gradients';
import { Joined } from './joined';
import { nextTask } from './next-task';
import type { StageContext, TrainingBatch } from './objective';
import { AdamW } from './optimizer';
import { type ResolvedPolicy, resolvePolicy } from './policy';
import { scheduleFactor } from './schedule';
import { Speed } from './speed';
import type { PlannedStage } from './stage';

/** What all stages of a run share. */
export interface RunContext {
  readonly model: Module;
  readonly stages: readonly PlannedStage[];
  readonly seed: number;
  readonly storage?: RunStorage;
  readonly checkpointEvery: number;
  readonly featureCacheBytes: number;
  readonly signal?: AbortSignal;
  readonly emit: EmitEvent;
}

/** Where a checkpoint left off. */
export interface SavedStage {
  readonly folder: string;
  readonly state: TrainingState;
}

/** One stage of a run, from its first step to its last. */
export class StageRun {
  private readonly stage: PlannedStage;
  /** What the policy decides about: the model, and what the objective brings along. */
  private readonly parameters: Module;
  private readonly policy: ResolvedPolicy;
  private readonly optimizer: AdamW;
  private readonly context: StageContext & { readonly features: FeatureCache };
  /** Steps done, and how many of them a checkpoint holds. */
  private done = 0;
  private saved = 0;

  /** Allocates nothing. @throws FreezePolicyError */
  constructor(
    private readonly run: RunContext,
    private readonly index: number,
  ) {
    const stage = run.stages[index];
    const { config, objective } = stage;
    this.stage = stage;
    this.parameters = new Joined(...run.model.members(), ...owned('objective', objective.module));
    const component = `stage '${config.name}'.policy`;
    this.policy = resolvePolicy(this.parameters, config.policy, config, component);
    this.optimizer = new AdamW(this.policy.trained, config);
    const trained = new Set(this.policy.trained.map(({ parameter }) => parameter));
    this.context = {
      isFrozen: (module) => [...module.namedParameters()].every(([, parameter]) => !trained.has(parameter)),
      features: new FeatureCache(stage.augmented ? 0 : run.featureCacheBytes),
      gradientCheckpointing: stage.gradientCheckpointing,
      packing: config.packing,
      signal: run.signal,
    };
  }

  /** Takes the steps that are left. @param from a checkpoint of this very stage. */
  async *steps(from?: SavedStage): AsyncGenerator<TrainingStep, void> {
    const { run, stage, policy } = this;
    const { config, objective } = stage;
    try {
      objective.module?.initialize({ seed: run.seed });
      this.optimizer.initialize();
      if (from) await this.restore(from);
      if (this.done === config.steps) return;
      await run.emit({ type: 'stage', stage: config.name, steps: config.steps, policy: policy.rows });
      const first = this.done;
      const speed = new Speed();
      let seconds = 0;
      while (this.done < config.steps) {
        await this.stopIfAborted();
        const start = performance.now();
        const taken = await this.takeStep().catch(async (error: unknown) => {
          if (error === run.signal?.reason) await this.stopIfAborted();
          throw error;
        });
        const elapsed = (performance.now() - start) / 1000;
        seconds += elapsed;
        speed.add(taken.tokens, elapsed);
        const step: TrainingStep = {
          stage: config.name,
          step: this.done,
          steps: config.steps,
          loss: taken.loss,
          ...(taken.terms && { auxiliaryLosses: taken.terms }),
          learningRate: config.learningRate * taken.factor,
          gradientNorm: taken.norm,
          tokensPerSecond: speed.tokensPerSecond,
          secondsLeft: (seconds / (this.done - first)) * (config.steps - this.done),
        };
        await run.emit({ type: 'step', ...step });
        if (this.done === config.steps || this.done % run.checkpointEvery === 0) await this.save();
        yield step;
        await nextTask();
      }
    } finally {
      this.optimizer.dispose();
      this.context.features.dispose();
    }
  }

  /** Loss, gradients, and unless one of them is no finite number, the update. */
  private async takeStep() {
    const { config } = this.stage;
    const sum = new StepGradients(this.policy.trained, config.accumulate);
    let tokens = 0;
    try {
      for await (const batch of this.batches()) {
        sum.add(batch);
        tokens += batch.tokens;
      }
      const { loss, norm, terms } = await sum.read();
      if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
        throw await nonFiniteError({
          where: `stage '${config.name}', step ${this.done + 1}`,
          checkpoint: await this.run.storage?.newest(),
          loss,
          norm,
          parameters: this.parameters,
          trained: this.policy.trained,
          gradients: sum.gradients,
          batches: () => this.batches(),
        });
      }
      const factor = scheduleFactor(this.done, config);
      // As torch.nn.utils.clip_grad_norm_ has it.
      this.optimizer.step(sum.gradients, { factor, scale: Math.min(1, config.clipNorm / (norm + 1e-6)) });
      this.done++;
      return { loss, norm, terms, factor, tokens };
    } finally {
      sum.dispose();
    }
  }

  /** The batches of the current step, one at a time; each is freed when the next is asked for. */
  private async *batches(): AsyncGenerator<TrainingBatch, void> {
    const { config, samples, objective } = this.stage;
    for (let i = 0; i < config.accumulate; i++) {
      const start = (this.done * config.accumulate + i) * config.batchSize;
      const batch = await objective.prepare(await samples.take(start, config.batchSize), this.context);
      try {
        yield batch;
      } finally {
        batch.dispose();
      }
    }
  }

  private async stopIfAborted(): Promise<void> {
    const { signal } = this.run;
    if (!signal?.aborted) return;
    await this.save();
    throw signal.reason;
  }

  private async save(): Promise<void> {
    const { storage, stages, seed, emit } = this.run;
    if (!storage || this.saved === this.done) return;
    const position = { stage: this.stage.config.name, step: this.done };
    const configs = stages.slice(0, this.index + 1).map(({ config }) => config);
    const state = { seed, ...position, stages: configs, updates: this.optimizer.updates };
    const folder = await storage.save({ parameters: this.everything(), optimizer: this.optimizer, state });
    this.saved = this.done;
    await emit({ type: 'checkpoint', ...position, folder });
  }

  private async restore({ folder, state }: SavedStage): Promise<void> {
    const { storage, emit } = this.run;
    const paths = this.policy.trained.map(({ path }) => path);
    checkUpdates(`${folder}/state.json`, state.updates, paths);
    // The model last, so that it stays as it was if the other files are no good.
    await storage?.loadOptimizer(folder, this.optimizer);
    await storage?.loadParameters(folder, this.everything());
    this.optimizer.updates = state.updates;
    this.done = state.step;
    this.saved = state.step;
    await emit({ type: 'resume', stage: state.stage, step: state.step, folder });
  }

  /** What a checkpoint holds: the model, and what the objectives of all stages so far have brought along. */
  private everything(): Module {
    const { model, stages } = this.run;
    const objectives = stages
      .slice(0, this.index + 1)
      .flatMap(({ config, objective }) => owned(`objectives.${config.name}`, objective.module));
    return new Joined(...model.members(), ...objectives);
  }
}

const owned = (path: string, module: Module | undefined): [string, Module][] =>
  module ? [[path, module]] : [];
