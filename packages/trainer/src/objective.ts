import type { Module } from '@mmllm/core';
import type * as tf from '@tensorflow/tfjs-core';
import type { FeatureCache } from './features/feature-cache';

/** Several samples in a row, one behind the other, that do not see each other. */
export interface Packing {
  /** Most tokens of a row. */
  readonly length: number;
}

/** What a stage tells its objective. */
export interface StageContext {
  /** True if the stage trains none of a module's parameters. */
  isFrozen(module: Module): boolean;
  /** Features of pictures by frozen parts, kept for the whole stage. */
  readonly features: FeatureCache;
  /** Layers are to keep their input only for the backward pass, where the objective can tell them. */
  readonly gradientCheckpointing?: boolean;
  /** Samples are to be packed into rows of at most so many tokens. An objective that cannot do it refuses. */
  readonly packing?: Packing;
  readonly signal?: AbortSignal;
}

/** Samples made ready for one step. */
export interface TrainingBatch {
  /** Tokens that a step works on, to measure its speed. */
  readonly tokens: number;
  /**
   * What the loss is a mean over: answer tokens, pairs. Where a step has several batches, each counts by its weight.
   * Default 1.
   */
  readonly weight?: number;
  /**
   * The mean loss, float32[]. Runs inside the gradient; the caller owns the result.
   * @param report takes the terms that are added to the main one, by name and before they are scaled; they stay the
   * scope's. Each is a mean like the loss.
   */
  loss(report?: (name: string, term: tf.Scalar) => void): tf.Scalar;
  /**
   * What components give for this batch, in the order in which they run: to find the first one that gives NaN. A
   * component may come several times. Called inside `tf.tidy`; the caller owns the outputs.
   */
  trace?(): readonly (readonly [component: string, output: tf.Tensor])[];
  /** Frees the batch's tensors. */
  dispose(): void;
}

/** What a stage minimises, over samples of type `S`. */
export interface Objective<S> {
  readonly name: string;
  /**
   * Parameters that the objective brings along, such as a text tower. A policy addresses those that the model does
   * not have itself as `objective.…`. Whoever made the objective disposes them.
   */
  readonly module?: Module;
  /** Work before the gradient: host work, tensors of inputs, and whatever frozen parts can compute once. */
  readonly prepare: (samples: readonly S[], context: StageContext) => Promise<TrainingBatch>;
}
