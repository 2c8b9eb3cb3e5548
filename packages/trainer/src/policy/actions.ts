/** What a policy may say of trained parameters: finite numbers from 0 on. */
export interface TrainedOptions {
  /** Instead of the stage's. */
  learningRate?: number;
  /** Times the learning rate. Default 1. */
  learningRateScale?: number;
  /** Decoupled weight decay instead of the stage's; like that, only for parameters that decay at all. */
  weightDecay?: number;
}

export interface FrozenAction {
  readonly kind: 'frozen';
}

export interface TrainedAction extends Readonly<TrainedOptions> {
  readonly kind: 'trained';
}

export type FreezeAction = FrozenAction | TrainedAction;

/** Ordered: the first pattern that holds for a parameter decides. See `compilePattern` for the patterns. */
export type FreezePolicy = readonly (readonly [pattern: string, action: FreezeAction])[];

/** Bit-identical after the stage: no gradient, no optimiser state. Gradients still pass through to what comes before. */
export const frozen: FrozenAction = { kind: 'frozen' };

/** Learns in this stage. */
export function trained(options: TrainedOptions = {}): TrainedAction {
  return { kind: 'trained', ...options };
}
