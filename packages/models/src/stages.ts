import type { FreezePolicy, Stage } from '@mmllm/trainer';

/** Settings of the trainer that a recipe may name. */
type Settings = Pick<
  Stage,
  | 'learningRate'
  | 'batchSize'
  | 'steps'
  | 'epochs'
  | 'warmupSteps'
  | 'schedule'
  | 'weightDecay'
  | 'betas'
  | 'eps'
  | 'clipNorm'
>;

/**
 * A stage of a published recipe, ready for the trainer once it has data: `train(model, { stages: [{ ...stage, data }] })`.
 * What no source says is left out, and the trainer's default holds; steps or epochs have none, and are to be added.
 */
export interface PublishedStage extends Settings {
  readonly name: string;
  /** What learns, and how fast. Paths start with `encoder`, `projector`, `fusion` and `decoder`. */
  readonly policy: FreezePolicy;
  /** Where the policy and each setting come from: a paper, code, or `unknown`. */
  readonly sources: Readonly<Record<'policy' | 'learningRate' | 'batchSize', string>> &
    Readonly<Partial<Record<keyof Settings, string>>>;
}
