import type { TrainingStep } from './events';

/** What came of a training. */
export interface TrainingSummary {
  /** Steps taken, without those of an earlier run that was resumed. */
  readonly steps: number;
  readonly last?: TrainingStep;
}

/**
 * A training. It starts when it is read or awaited: `for await (const step of run)` sees every step and holds the
 * training back until it has dealt with it; `await run` lets it run to its end. Leaving the loop ends the training
 * after the current step, without a checkpoint.
 */
export interface TrainingRun extends AsyncIterable<TrainingStep>, PromiseLike<TrainingSummary> {}

export function trainingRun(steps: AsyncGenerator<TrainingStep, void>): TrainingRun {
  let settle: { resolve(summary: TrainingSummary): void; reject(reason: unknown): void };
  const summary = new Promise<TrainingSummary>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Whoever reads the steps gets the error there; then nobody needs to await the run as well.
  summary.catch(() => {});
  async function* relay(): AsyncGenerator<TrainingStep, void> {
    let taken: TrainingSummary = { steps: 0 };
    try {
      for await (const step of steps) {
        taken = { steps: taken.steps + 1, last: step };
        yield step;
      }
    } catch (error) {
      settle.reject(error);
      throw error;
    } finally {
      settle.resolve(taken);
    }
  }
  const stream = relay();
  let started = false;
  return {
    [Symbol.asyncIterator]() {
      started = true;
      return stream;
    },
    // biome-ignore lint/suspicious/noThenProperty: a training is awaited like a promise
    then(onFulfilled, onRejected) {
      if (!started) {
        started = true;
        drain(stream).catch(() => {});
      }
      return summary.then(onFulfilled, onRejected);
    },
  };
}

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}
