import { Module, Parameter, zeros } from '@mmllm/core';
import { adamwUpdate } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { TrainedParameter } from './policy';

export interface AdamWSettings {
  /** Decays of the means of gradients and of their squares. */
  readonly betas: readonly [number, number];
  readonly eps: number;
}

/** Running means of one parameter's gradients. */
class Moments extends Module {
  readonly m: Parameter;
  readonly v: Parameter;
  /** Steps in which the parameter had a gradient. */
  updates = 0;

  constructor({ parameter: { shape } }: TrainedParameter) {
    super();
    this.m = new Parameter(shape, { initializer: zeros });
    this.v = new Parameter(shape, { initializer: zeros });
  }
}

/**
 * AdamW over exactly the trained parameters (Loshchilov and Hutter 2019, arXiv:1711.05101), as `torch.optim.AdamW` has
 * it. Its state is a parameter tree like any other: `decoder.norm.weight.m`, `….v`.
 */
export class AdamW extends Module {
  private readonly moments: ReadonlyMap<TrainedParameter, Moments>;
  readonly #settings: AdamWSettings;

  constructor(trained: readonly TrainedParameter[], settings: AdamWSettings) {
    super();
    this.moments = new Map(trained.map((target) => [target, new Moments(target)]));
    this.#settings = settings;
  }

  override *members(): Iterable<[string, Module]> {
    for (const [{ path }, moments] of this.moments) yield [path, moments];
  }

  /** The zeros are made where they lie, and take no memory on the host. */
  override initialize(): void {
    for (const [, parameter] of this.namedParameters()) {
      if (parameter.ready) continue;
      const start = tf.fill([...parameter.shape], 0);
      parameter.assign(start);
      start.dispose();
    }
  }

  /**
   * Takes one step. A parameter without a gradient stays as it is, decay included.
   *
   * @param gradients one for each trained parameter, in order.
   * @param options.factor of the schedule, for the learning rate.
   * @param options.scale of all gradients, from clipping.
   */
  step(
    gradients: readonly (tf.Tensor | undefined)[],
    { factor, scale }: { factor: number; scale: number },
  ): void {
    const {
      betas: [beta1, beta2],
      eps,
    } = this.#settings;
    const targets = [...this.moments].flatMap(([{ parameter, learningRate, weightDecay }, moments], i) => {
      const gradient = gradients[i];
      if (!gradient) return [];
      const variables = { parameter: parameter.value, m: moments.m.value, v: moments.v.value };
      const step = ++moments.updates;
      return [{ ...variables, gradient, learningRate: learningRate * factor, weightDecay, step }];
    });
    adamwUpdate(targets, { beta1, beta2, eps, scale });
  }

  /** How many steps each parameter has taken, by path. */
  get updates(): Record<string, number> {
    return Object.fromEntries([...this.moments].map(([{ path }, { updates }]) => [path, updates]));
  }

  set updates(counts: Readonly<Record<string, number>>) {
    for (const [{ path }, moments] of this.moments) moments.updates = counts[path];
  }
}
