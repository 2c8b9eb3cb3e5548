import * as tf from '@tensorflow/tfjs-core';

type TapeNode = ReturnType<typeof tf.engine>['state']['activeTape'][number];

export interface ValuesAndGradients {
  readonly values: tf.Tensor[];
  /** Undefined for a tensor that takes no part in the values. */
  readonly gradients: (tf.Tensor | undefined)[];
}

/**
 * What `forward` makes, and the gradients of it by `xs`, as `tf.grads` gives them, in about half the memory: tfjs holds
 * all that was saved for the backward pass, and every gradient on the way, until the end; here each goes as soon as the
 * last node of the tape that needs it has run. The sums are the same, in the same order. The caller owns the results.
 *
 * @param xs what `forward` reads; only what depends on them gets a gradient.
 * @param dys makes the gradients of the values, float32 of their shapes.
 */
export function valuesAndGradients(
  forward: () => tf.Tensor[],
  xs: readonly tf.Tensor[],
  dys: () => tf.Tensor[],
): ValuesAndGradients {
  const tape: TapeNode[] = [];
  try {
    // Frees what there is if anything throws.
    return tf.tidy(() => {
      const values = record(forward, tape);
      const seeds = dys();
      const gradients = new Map(values.map(({ id }, i) => [id, seeds[i]]));
      // tfjs takes lists with gaps, but does not say so.
      return { values, gradients: backpropagate(tape, xs, gradients) as tf.Tensor[] };
    });
  } finally {
    for (const { saved } of tape) tf.dispose(saved);
  }
}

/** Runs `forward` with the tape on. */
function record(forward: () => tf.Tensor[], tape: TapeNode[]): tf.Tensor[] {
  // What Engine.gradients does; its own methods for it are private.
  const { state } = tf.engine();
  if (state.gradientDepth > 0) throw new Error('a gradient inside of another gradient');
  // A node of another tape may be running backward.
  const outer = state.activeTape;
  state.activeTape = tape;
  state.gradientDepth++;
  try {
    return tf.tidy(forward);
  } finally {
    state.gradientDepth--;
    state.activeTape = outer;
  }
}

/** The ids of the tensors that the backward pass now running wants gradients of; undefined while none of ours runs. */
let wanted: ReadonlySet<number> | undefined;

/** Whether the backward pass that now runs will use the gradient by `x`. One of tfjs itself does not say. */
export const isWanted = (x: tf.Tensor): boolean => wanted?.has(x.id) ?? true;

/** @param gradients by id of tensor, at first those of the values; taken over. */
function backpropagate(
  tape: readonly TapeNode[],
  xs: readonly tf.Tensor[],
  gradients: Map<number, tf.Tensor>,
): (tf.Tensor | undefined)[] {
  const outer = wanted;
  const trained = dependents(tape, xs);
  wanted = trained;
  try {
    for (const node of tape.toReversed()) {
      const dys = node.outputs.map(({ id }) => gradients.get(id));
      const inputs = Object.entries(node.inputs).filter(([, { id }]) => trained.has(id));
      if (inputs.length > 0 && dys.some((dy) => dy !== undefined)) {
        const dxs = inputGradients(node, inputs, dys);
        inputs.forEach(([, { id }], i) => {
          const sum = added(gradients.get(id), dxs[i]);
          if (sum) gradients.set(id, sum);
        });
      }
      // Nodes before this one cannot need them: what they make was made already.
      for (const { id } of node.outputs) gradients.delete(id);
      tf.dispose([dys, node.saved ?? []] as tf.Tensor[][]);
    }
  } finally {
    wanted = outer;
  }
  return xs.map(({ id }) => gradients.get(id));
}

/** The ids of the tensors that depend on one of `xs`. */
function dependents(tape: readonly TapeNode[], xs: readonly tf.Tensor[]): Set<number> {
  const ids = new Set(xs.map(({ id }) => id));
  for (const { inputs, outputs } of tape) {
    if (Object.values(inputs).some(({ id }) => ids.has(id))) for (const { id } of outputs) ids.add(id);
  }
  return ids;
}

/**
 * Tensors that are nobody else's: a node may pass one gradient on to several inputs, or its own. Undefined where a
 * recomputed piece finds that an input takes no part in it.
 */
function inputGradients(
  node: TapeNode,
  inputs: readonly (readonly [name: string, x: tf.Tensor])[],
  dys: readonly (tf.Tensor | undefined)[],
): (tf.Tensor | undefined)[] {
  const { gradient, kernelName } = node;
  if (!gradient) throw new Error(`${kernelName} has no gradient`);
  const taken = new Set(dys);
  return tf.tidy(() => {
    // The engine fills in zeros for gradients that are missing.
    const of = gradient(dys as tf.Tensor[]);
    const dxs = inputs.map(([name, x]) => {
      const dx: tf.Tensor | undefined = tf.tidy(of[name]);
      if (!dx) return undefined;
      if (dx.dtype !== 'float32' || !tf.util.arraysEqual(dx.shape, x.shape)) {
        throw new Error(
          `the gradient of ${kernelName} by ${name} is ${dx.dtype}[${dx.shape}], not [${x.shape}]`,
        );
      }
      const own = taken.has(dx) ? tf.clone(dx) : dx;
      taken.add(own);
      return own;
    });
    return dxs as tf.Tensor[];
  });
}

/** The sum of what there is. Takes both over. */
export function added(sum: tf.Tensor | undefined, term: tf.Tensor): tf.Tensor;
export function added(sum: tf.Tensor | undefined, term: tf.Tensor | undefined): tf.Tensor | undefined;
export function added(sum: tf.Tensor | undefined, term: tf.Tensor | undefined): tf.Tensor | undefined {
  if (!sum || !term) return sum ?? term;
  const both = tf.add(sum, term);
  tf.dispose([sum, term]);
  return both;
}
