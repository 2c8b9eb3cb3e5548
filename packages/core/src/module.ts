import { WeightError } from './errors';
import { Parameter } from './parameter';
import { random } from './random';

const marker = Symbol.for('mmllm.module');

export interface InitializeOptions {
  /** Each parameter draws from a stream of its own, named by seed and path. Default 0. */
  seed?: number;
}

/**
 * A component that owns parameters and other modules. Whatever stands in its public fields is part of its tree,
 * and the field names are the path: `layers.3.selfAttention.qProj.weight`. Things it only refers to belong in
 * `#private` fields or getters.
 *
 * A module is born shape-only and takes no memory before `initialize` or a checkpoint fills it.
 */
export abstract class Module {
  readonly [marker] = true;

  static isInstance(value: unknown): value is Module {
    return typeof value === 'object' && value !== null && marker in value;
  }

  /** Direct children and parameters by field name; lists count as `name.0`, `name.1`, …. */
  *members(): Iterable<[name: string, member: Module | Parameter]> {
    for (const [name, value] of Object.entries(this)) {
      const members: [string, unknown][] = Array.isArray(value)
        ? value.map((item, index) => [`${name}.${index}`, item])
        : [[name, value]];
      for (const [path, member] of members) {
        if (Module.isInstance(member) || Parameter.isInstance(member)) yield [path, member];
      }
    }
  }

  /** Every parameter with its path, each once: a tied one appears under its first path. */
  *namedParameters(): Iterable<[path: string, parameter: Parameter]> {
    yield* walk(this, '', new Set());
  }

  /** @throws WeightError for an unknown path, naming the nearest known ones. */
  parameter(path: string): Parameter {
    const known: string[] = [];
    for (const [name, parameter] of this.namedParameters()) {
      if (name === path) return parameter;
      known.push(name);
    }
    const last = path.split('.').at(-1) ?? '';
    const near = known.filter((name) => name.endsWith(`.${last}`) || name.startsWith(path)).slice(0, 3);
    throw new WeightError({
      component: this.constructor.name,
      expected: near.length > 0 ? `a parameter path such as ${near.join(', ')}` : 'the path of a parameter',
      actual: `'${path}'`,
    });
  }

  /** The exact number of trainable values; needs no memory. */
  countParameters(): number {
    let count = 0;
    for (const [, { size, trainable }] of this.namedParameters()) if (trainable) count += size;
    return count;
  }

  /** Gives first values to every parameter that has none yet. */
  initialize({ seed = 0 }: InitializeOptions = {}): void {
    for (const [path, parameter] of this.namedParameters()) {
      if (!parameter.ready) parameter.initialize(random(seed, path));
    }
  }

  /** Frees all weights; the tensor count is what it was before they were made. */
  dispose(): void {
    for (const [, parameter] of this.namedParameters()) parameter.dispose();
  }
}

function* walk(module: Module, prefix: string, seen: Set<Module | Parameter>): Iterable<[string, Parameter]> {
  for (const [name, member] of module.members()) {
    if (seen.has(member)) continue;
    seen.add(member);
    if (Parameter.isInstance(member)) yield [prefix + name, member];
    else yield* walk(member, `${prefix}${name}.`, seen);
  }
}
