import { type Comparable, compareTensors } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from './case';

/** The tensor that uses most of its tolerance. */
export interface Worst {
  readonly tensor: string;
  /** Largest |ours − theirs| / max(1, |theirs|); infinite where shapes differ or a value is not finite. */
  readonly error: number;
  /** 0 for integers. */
  readonly tolerance: number;
}

/** A model or a tensor. */
interface Disposable {
  dispose(): void;
}

/** Holds what we compute against a case, tensor by tensor, and remembers what was compared. */
export class Comparison {
  /** Names of the golden tensors that were compared. */
  readonly compared = new Set<string>();
  /** One line for each tensor that is not met. */
  readonly failures: string[] = [];
  worst: Worst | undefined;
  private readonly golden: ParityCase;
  private readonly owned: Disposable[] = [];

  constructor(golden: ParityCase) {
    this.golden = golden;
  }

  /** Frees a model or a tensor when the case is done, whatever comes of it. */
  own<T extends Disposable>(thing: T): T {
    this.owned.push(thing);
    return thing;
  }

  /** Frees what it owns. */
  dispose(): void {
    for (const thing of this.owned) thing.dispose();
  }

  /** Whether the case names this output; what nobody asks for need not be computed. */
  wants(name: string): boolean {
    return this.golden.has(name);
  }

  /** Compares one output. A tensor is disposed. */
  async give(name: string, actual: Comparable): Promise<void> {
    try {
      const expected = await this.golden.tensor(name);
      const tolerance = expected.data instanceof Int32Array ? 0 : this.golden.tolerance;
      const { ok, message, worst } = await compareTensors(actual, expected, { tolerance, name });
      this.compared.add(name);
      if (!ok) this.failures.push(message);
      this.remember({
        tensor: name,
        // Shapes or types that differ have no worst element.
        error: worst?.error ?? (ok ? 0 : Infinity),
        tolerance,
      });
    } finally {
      if (actual instanceof tf.Tensor) actual.dispose();
    }
  }

  /**
   * Compares one output in parts of the largest value that the case has in it, if that is above 1. A tensor is disposed.
   *
   * For sums of large terms that nearly cancel: of the gradients of `mm1.5/dense`, PyTorch's in float32 are up to 9·10⁻³
   * away from its own in float64 value by value, and 4·10⁻⁶ in this measure; of `nvlm-h/base`, 8·10⁻⁴ and 4·10⁻⁶.
   */
  async giveOfLargest(name: string, actual: Comparable): Promise<void> {
    const expected = await this.golden.floats(name);
    const largest = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const { shape, data } = await hostOf(actual);
    const part = (values: Float32Array) => values.map((value) => value / largest);
    const { ok, message, worst } = await compareTensors(
      { shape, data: part(data) },
      { ...expected, data: part(expected.data) },
      { tolerance: this.golden.tolerance, name },
    );
    this.compared.add(name);
    if (!ok) this.failures.push(message);
    this.remember({
      tensor: name,
      error: worst?.error ?? (ok ? 0 : Infinity),
      tolerance: this.golden.tolerance,
    });
  }

  /**
   * Compares a number that the case has outside its tensors, such as the loss of a step.
   * @param tolerance default: that of the case
   */
  giveValue(name: string, actual: number, expected: number, tolerance = this.golden.tolerance): void {
    const far = Math.abs(actual - expected) / Math.max(1, Math.abs(expected));
    const error = Number.isNaN(far) ? Number.POSITIVE_INFINITY : far;
    this.compared.add(name);
    if (error > tolerance) this.failures.push(`${name}: expected ${expected}, got ${actual}`);
    this.remember({ tensor: name, error, tolerance });
  }

  /** Compares a value of `golden.json` that has to be the very same: a text, a number, a list or an object of them. */
  giveJson(name: string, actual: unknown, expected: unknown): void {
    const [ours, theirs] = [JSON.stringify(actual), JSON.stringify(expected)];
    const same = ours === theirs;
    this.compared.add(name);
    if (!same) this.failures.push(`${name}: expected ${shorten(theirs)}, got ${shorten(ours)}`);
    this.remember({ tensor: name, error: same ? 0 : Number.POSITIVE_INFINITY, tolerance: 0 });
  }

  /** An output of ours that the reference does not have. */
  giveUnexpected(name: string): void {
    this.failures.push(`${name}: the case has no such array`);
  }

  /** Compares those outputs that the case names; the others are disposed. */
  async giveAll(outputs: Readonly<Record<string, Comparable>>): Promise<void> {
    for (const [name, actual] of Object.entries(outputs)) {
      if (this.wants(name)) await this.give(name, actual);
      else if (actual instanceof tf.Tensor) actual.dispose();
    }
  }

  /** Golden outputs and gradients, and results in `golden.json`, that nothing was compared with. */
  get missed(): string[] {
    const tensors = this.golden.names.filter((name) => /^(out|grad)\./.test(name));
    return [...tensors, ...resultsOf(this.golden)].filter((name) => !this.compared.has(name));
  }

  private remember(next: Worst): void {
    if (!this.worst || share(next) > share(this.worst)) this.worst = next;
  }
}

/** Values on the host. A tensor is disposed. */
async function hostOf(actual: Comparable): Promise<{ shape: readonly number[]; data: Float32Array }> {
  if (!(actual instanceof tf.Tensor)) return { shape: actual.shape, data: Float32Array.from(actual.data) };
  const data = await actual.data<'float32'>();
  const { shape } = actual;
  actual.dispose();
  return { shape, data };
}

/** How much of its tolerance an error uses. */
const share = ({ error, tolerance }: Worst): number => (error === 0 ? 0 : error / tolerance);

/** What a line of `golden.json` gives to its reader; all else in it is a result. */
const GIVEN = ['name', 'text', 'messages', 'kwargs', 'add_generation_prompt', 'continue_final_message'];

/** The results of each line, `3.ids`. */
function resultsOf({ lines }: ParityCase): string[] {
  return lines.flatMap((line, i) =>
    Object.keys(line).flatMap((key) => {
      // A line without a text gives ids, to be decoded.
      const given = GIVEN.includes(key) || (key === 'ids' && !('text' in line) && !('messages' in line));
      return given ? [] : [`${i}.${key}`];
    }),
  );
}

const shorten = (text = 'nothing') => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
