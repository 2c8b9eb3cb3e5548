import { ConfigError } from '@mmllm/core';
import { added, sumOfSquares } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { lossAndGradients } from './backward';
import type { TrainingBatch } from './objective';
import type { TrainedParameter } from './policy';
import { check } from './stage';

/** Loss and gradients of one step, averaged over its micro-batches by their weights. Only trained parameters get a gradient. */
export class StepGradients {
  private readonly variables: tf.Variable[];
  private total: tf.Tensor | undefined;
  private sums: (tf.Tensor | undefined)[];
  private readonly terms = new Map<string, tf.Tensor>();
  private weight = 0;

  /** @param batches number of micro-batches. One alone is taken as it is, to the last bit. */
  constructor(
    trained: readonly TrainedParameter[],
    private readonly batches: number,
  ) {
    this.variables = trained.map(({ parameter }) => parameter.value);
    this.sums = this.variables.map(() => undefined);
  }

  /** Undefined for a parameter that takes no part in the loss. Sums until `read`, then means. */
  get gradients(): readonly (tf.Tensor | undefined)[] {
    return this.sums;
  }

  /** @throws ConfigError for a weight that is no positive number. */
  add(batch: TrainingBatch): void {
    const { weight = 1 } = batch;
    check('objective', weight > 0 && weight < Infinity, 'batches of positive weight', String(weight));
    this.weight += weight;
    const loss = () => {
      const mean = batch.loss((name, term) => this.report(name, term, weight));
      return this.batches === 1 ? mean : tf.mul<tf.Scalar>(mean, weight);
    };
    const { value, gradients } = lossAndGradients(loss, this.variables);
    this.total = added(this.total, value);
    this.sums = this.sums.map((sum, i) => added(sum, gradients[i]));
  }

  /**
   * Ends the sum. The loss, the terms that batches have reported, and the norm of all gradients together, in the one read-back of a step.
   * @throws ConfigError if no trained parameter takes part in the loss.
   */
  async read(): Promise<{ loss: number; norm: number; terms?: Record<string, number> }> {
    if (this.batches > 1) this.average();
    const gradients = this.sums.filter((gradient) => gradient !== undefined);
    if (!this.total || gradients.length === 0) {
      throw new ConfigError({
        component: 'policy',
        expected: 'a trained parameter that the loss depends on',
        actual: 'none',
      });
    }
    const all = tf.tidy(() => {
      const squares = tf.sum(tf.stack(gradients.map(sumOfSquares)));
      const terms = [...this.terms.values()].map((term) => tf.div(term, this.weight));
      return tf.stack([this.total!, tf.sqrt(squares), ...terms]);
    });
    const [loss, norm, ...terms] = await all.data();
    all.dispose();
    if (this.terms.size === 0) return { loss, norm };
    return {
      loss,
      norm,
      terms: Object.fromEntries([...this.terms.keys()].map((name, i) => [name, terms[i]])),
    };
  }

  /** Adds a term to those of its name, outside of the scope that it is reported in. */
  private report(name: string, term: tf.Tensor, weight: number): void {
    const scaled = tf.tidy(() => tf.mul(term, weight));
    this.terms.set(name, tf.keep(added(this.terms.get(name), scaled)));
  }

  private average(): void {
    const before = [this.total, ...this.sums];
    [this.total, ...this.sums] = before.map((sum) => sum && tf.tidy(() => tf.div(sum, this.weight)));
    for (const sum of before) sum?.dispose();
  }

  dispose(): void {
    tf.dispose([this.total, ...this.terms.values()] as tf.Tensor[]);
    for (const gradient of this.sums) gradient?.dispose();
  }
}
