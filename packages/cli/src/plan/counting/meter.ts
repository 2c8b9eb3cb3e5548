import * as tf from '@tensorflow/tfjs-core';

/**
 * What a step does one after the other: what runs outside the gradient, the pass that is recorded, the pass back, and
 * the update of the weights. A step without a gradient is all `prepare`.
 */
export const PHASES = ['prepare', 'forward', 'backward', 'update'] as const;

export type Phase = (typeof PHASES)[number];

export interface Peak {
  /** The most bytes of data at a time, each once. */
  readonly bytes: number;
  /** In which phase that is. */
  readonly phase: Phase;
  /** The most that `tf.memory().numBytes` says: tfjs counts data once for every tensor that shows it. */
  readonly numBytes: number;
}

/** Follows a step on the counting backend. */
export class Meter {
  readonly #bytes: () => number;
  #phase: Phase = 'prepare';
  #peak: Peak = { bytes: 0, phase: 'prepare', numBytes: 0 };
  #flops: Record<Phase, number> = { prepare: 0, forward: 0, backward: 0, update: 0 };
  #kept = 0;
  #others = 0;

  /** @param bytes there are right now */
  constructor(bytes: () => number) {
    this.#bytes = bytes;
  }

  /** @param numBytes of tensors on other backends, which do not count */
  leaveOut(numBytes: number): void {
    this.#others = numBytes;
  }

  /** From here on counts as a new step. */
  reset(): void {
    this.#phase = 'prepare';
    this.#peak = { bytes: 0, phase: 'prepare', numBytes: 0 };
    this.#flops = { prepare: 0, forward: 0, backward: 0, update: 0 };
    this.#kept = 0;
    this.look();
  }

  get peak(): Peak {
    return this.#peak;
  }

  /** Bytes that there were when the pass back began; 0 where there was none. */
  get kept(): number {
    return this.#kept;
  }

  flops(...phases: readonly Phase[]): number {
    return phases.reduce((sum, phase) => sum + this.#flops[phase], 0);
  }

  /**
   * Notes what there is; called whenever that is more.
   * @param untracked bytes of data that no tensor shows yet
   */
  look(untracked = 0): void {
    const bytes = this.#bytes();
    this.#advance();
    const { numBytes } = tf.engine().state;
    const { peak } = this;
    this.#peak = {
      ...(bytes > peak.bytes ? { bytes, phase: this.#phase } : peak),
      numBytes: Math.max(peak.numBytes, numBytes - this.#others + untracked),
    };
  }

  /** A kernel begins. */
  begin(kernelName: string): void {
    if (kernelName === 'mmllm/AdamW') this.#phase = 'update';
    this.look();
  }

  add(flops: number): void {
    this.#flops[this.#phase] += flops;
  }

  /** tfjs records while its gradient depth is not 0; layers that are computed again are part of the pass back. */
  #advance(): void {
    const records = tf.engine().state.gradientDepth > 0;
    if (this.#phase === 'prepare' && records) this.#phase = 'forward';
    else if (this.#phase === 'forward' && !records) {
      this.#phase = 'backward';
      this.#kept = this.#bytes();
    }
  }
}
