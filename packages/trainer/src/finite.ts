import { type Module, NonFiniteError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { TrainingBatch } from './objective';
import type { TrainedParameter } from './policy';

export interface NonFiniteStep {
  /** Stage and step, for the message. */
  readonly where: string;
  /** The newest checkpoint, if there is one. */
  readonly checkpoint?: string;
  readonly loss: number;
  readonly norm: number;
  /** Everything that takes part in the stage. */
  readonly parameters: Module;
  readonly trained: readonly TrainedParameter[];
  readonly gradients: readonly (tf.Tensor | undefined)[];
  /** Makes the step's batches once more. */
  batches(): AsyncIterable<TrainingBatch>;
}

/**
 * The error for a step whose loss or gradient is no finite number. Names the component in which it begins: the first
 * weight that is not finite, or the first component whose output is not, or the gradient that is not and lies closest
 * to the loss.
 */
export async function nonFiniteError(step: NonFiniteStep): Promise<NonFiniteError> {
  const origin = (await badWeight(step)) ?? (await badOutput(step)) ?? (await badGradient(step)) ?? 'the sum';
  const value = Number.isFinite(step.loss) ? `a gradient norm of ${step.norm}` : `a loss of ${step.loss}`;
  const kept = step.checkpoint ? `the last checkpoint is '${step.checkpoint}'` : 'there is no checkpoint';
  return new NonFiniteError({
    component: step.where,
    expected: 'a finite loss and gradient',
    actual: `${value}, beginning in ${origin}`,
    hint: `The step was not applied; ${kept}. Try a lower learning rate or a longer warm-up.`,
  });
}

async function badWeight({ parameters }: NonFiniteStep): Promise<string | undefined> {
  for (const [path, parameter] of parameters.namedParameters()) {
    // What is held as another type was checked when it was.
    if (!parameter.held && !(await allFinite(parameter.value))) return path;
  }
  return undefined;
}

async function badOutput({ batches }: NonFiniteStep): Promise<string | undefined> {
  for await (const batch of batches()) {
    const trace = tf.tidy(() =>
      (batch.trace?.() ?? []).map(([component, output]) => ({ component, output })),
    );
    try {
      for (const { component, output } of trace) {
        if (!(await allFinite(output))) return component;
      }
    } finally {
      tf.dispose(trace);
      batch.dispose();
    }
  }
  return undefined;
}

/** From the back: a gradient flows from the loss to the front, and takes a bad value along. */
async function badGradient({ trained, gradients }: NonFiniteStep): Promise<string | undefined> {
  for (let i = trained.length - 1; i >= 0; i--) {
    const gradient = gradients[i];
    if (gradient && !(await allFinite(gradient))) return `the gradient of ${trained[i].path}`;
  }
  return undefined;
}

async function allFinite(x: tf.Tensor): Promise<boolean> {
  const finite = tf.tidy(() => tf.all(tf.isFinite(x)));
  const [value] = await finite.data();
  finite.dispose();
  return value === 1;
}
