import { Module, Parameter, type WeightType } from '@mmllm/core';

/** A layer whose weight can be held as another type. */
export interface HoldsWeight extends Module {
  readonly weight: Parameter;
  hold(type: WeightType): Promise<void>;
}

export interface HoldOptions {
  /** Stops between two weights; the promise is then rejected with the signal's reason, and those that are done stay held. */
  signal?: AbortSignal;
  /** Called after each weight. */
  onProgress?: (progress: HoldProgress) => void;
}

export interface HoldProgress {
  /** Path of the weight, below the module. */
  readonly path: string;
  /** Weights that are done, of `total`. */
  readonly done: number;
  readonly total: number;
}

/** What `holdWeights` did. */
export interface HoldReport {
  /** How many weights are held as each type. */
  readonly types: { readonly [type in WeightType]?: number };
  /** The number of their values. */
  readonly values: number;
  /** Memory that they take now; nothing for those that have no values yet. */
  readonly bytes: number;
}

/**
 * Holds the weight of every `Linear` and `Embedding` below a module as a type, one after the other, so that no two
 * forms of the whole model are in memory at once. Norms and biases stay float32. Held weights are frozen: the trainer
 * refuses to train them, and gradients pass through. A model that has no weights yet takes them in this form when they
 * are loaded.
 *
 * On a backend without kernels for held weights, the values are rounded all the same, and stay float32 in memory.
 *
 * @param type of all, or of each by its path below the module. `'float32'` goes back, to the rounded values
 * @throws WeightError naming the weight that has a value which the type cannot hold; it and those behind it are left.
 */
export async function holdWeights(
  module: Module,
  type: WeightType | ((path: string) => WeightType),
  { signal, onProgress }: HoldOptions = {},
): Promise<HoldReport> {
  const layers = [...holders(module, '', new Set())];
  const types: { [type in WeightType]?: number } = {};
  let [values, bytes] = [0, 0];
  for (const [i, [prefix, layer]] of layers.entries()) {
    signal?.throwIfAborted();
    const path = `${prefix}weight`;
    const wanted = typeof type === 'string' ? type : type(path);
    await layer.hold(wanted);
    types[wanted] = (types[wanted] ?? 0) + 1;
    const { size, held, ready } = layer.weight;
    values += size;
    bytes += held?.byteLength ?? (ready ? 4 * size : 0);
    onProgress?.({ path, done: i + 1, total: layers.length });
  }
  return { types, values, bytes };
}

/** Layers that hold a weight, each weight once. */
function* holders(
  module: Module,
  prefix: string,
  seen: Set<Module | Parameter>,
): Iterable<[prefix: string, layer: HoldsWeight]> {
  if (holdsWeight(module) && !seen.has(module.weight)) {
    seen.add(module.weight);
    yield [prefix, module];
  }
  for (const [name, member] of module.members()) {
    if (!Module.isInstance(member) || seen.has(member)) continue;
    seen.add(member);
    yield* holders(member, `${prefix}${name}.`, seen);
  }
}

function holdsWeight(module: Module): module is HoldsWeight {
  return 'hold' in module && 'weight' in module && Parameter.isInstance(module.weight);
}
