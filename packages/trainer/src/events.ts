import type { PolicyRow } from './policy';

/** One optimiser step. */
export interface TrainingStep {
  readonly stage: string;
  /** From 1, out of `steps` of the stage. */
  readonly step: number;
  readonly steps: number;
  /** Before the step was taken. */
  readonly loss: number;
  /** Terms of the loss beside the main one, by name and before they are scaled: `balance` and `z` of experts. */
  readonly auxiliaryLosses?: Readonly<Record<string, number>>;
  /** Of the stage, after its schedule; a policy may scale it for some parameters. */
  readonly learningRate: number;
  /** Of all gradients together, before clipping. */
  readonly gradientNorm: number;
  /** Mean over the last 20 steps. */
  readonly tokensPerSecond: number;
  /** Until the end of the stage, at its speed so far. */
  readonly secondsLeft: number;
}

export type TrainingEvent =
  /** Before the first step of a stage. */
  | {
      readonly type: 'stage';
      readonly stage: string;
      readonly steps: number;
      readonly policy: readonly PolicyRow[];
    }
  | ({ readonly type: 'step' } & TrainingStep)
  | { readonly type: 'checkpoint'; readonly stage: string; readonly step: number; readonly folder: string }
  /** The run goes on after a checkpoint. */
  | { readonly type: 'resume'; readonly stage: string; readonly step: number; readonly folder: string };

export type EmitEvent = (event: TrainingEvent) => Promise<void>;
