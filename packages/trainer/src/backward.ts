import * as tf from '@tensorflow/tfjs-core';

type TapeNode = ReturnType<typeof tf.engine>['state']['activeTape'][number];

/**
 * A loss and its gradients, as `tf.variableGrads` gives them, in about half the memory: tfjs holds all that was saved for
 * the backward pass, and every gradient on the way, until the end; here each goes as soon as the last node of the tape
 * that needs it has run. The sums are the same, in the same order. The caller owns the results.
 *
 * @returns undefined for a variable that takes no part in the loss.
 */
export function lossAndGradients(
  loss: () => tf.Scalar,
  variables: readonly tf.Variable[],
): { value: tf.Scalar; gradients: (tf.Tensor | undefined)[] } {
  const tape: TapeNode[] = [];
  try {
    // Frees what there is if anything throws.
    return tf.tidy(() => {
      const value = record(loss, tape);
      return { value, gradients: backpropagate(tape, variables, value) as tf.Tensor[] };
    });
  } finally {
    for (const { saved } of tape) tf.dispose(saved);
  }
}

/** Runs `loss` with the tape on. */
function record(loss: () => tf.Scalar, tape: TapeNode[]): tf.Scalar {
  // What Engine.gradients does; its own methods for it are private.
  const { state } = tf.engine();
  if (state.gradientDepth > 0) throw new Error('a training step inside of another gradient');
  state.activeTape = tape;
  state.gradientDepth++;
  try {
    return tf.tidy(loss);
  } finally {
    state.gradientDepth--;
    state.activeTape = [];
  }
}

function backpropagate(
  tape: readonly TapeNode[],
  variables: readonly tf.Variable[],
  value: tf.Scalar,
): (tf.Tensor | undefined)[] {
  const gradients = new Map<number, tf.Tensor>([[value.id, tf.ones([])]]);
  const trained = dependents(tape, variables);
  for (const node of tape.toReversed()) {
    const dys = node.outputs.map(({ id }) => gradients.get(id));
    const inputs = Object.entries(node.inputs).filter(([, { id }]) => trained.has(id));
    if (inputs.length > 0 && dys.some((dy) => dy !== undefined)) {
      const dxs = inputGradients(node, inputs, dys);
      inputs.forEach(([, { id }], i) => {
        gradients.set(id, added(gradients.get(id), dxs[i]));
      });
    }
    // Nodes before this one cannot need them: what they make was made already.
    for (const { id } of node.outputs) gradients.delete(id);
    tf.dispose([dys, node.saved ?? []] as tf.Tensor[][]);
  }
  return variables.map(({ id }) => gradients.get(id));
}

/** The ids of the tensors that depend on a variable. */
function dependents(tape: readonly TapeNode[], variables: readonly tf.Variable[]): Set<number> {
  const ids = new Set(variables.map(({ id }) => id));
  for (const { inputs, outputs } of tape) {
    if (Object.values(inputs).some(({ id }) => ids.has(id))) for (const { id } of outputs) ids.add(id);
  }
  return ids;
}

/** Tensors that are nobody else's: a node may pass one gradient on to several inputs, or its own. */
function inputGradients(
  node: TapeNode,
  inputs: readonly (readonly [name: string, x: tf.Tensor])[],
  dys: readonly (tf.Tensor | undefined)[],
): tf.Tensor[] {
  const { gradient, kernelName } = node;
  if (!gradient) throw new Error(`${kernelName} has no gradient`);
  const taken = new Set(dys);
  return tf.tidy(() => {
    // The engine fills in zeros for gradients that are missing.
    const of = gradient(dys as tf.Tensor[]);
    return inputs.map(([name, x]) => {
      const dx = tf.tidy(of[name]);
      if (dx.dtype !== 'float32' || !tf.util.arraysEqual(dx.shape, x.shape)) {
        throw new Error(
          `the gradient of ${kernelName} by ${name} is ${dx.dtype}[${dx.shape}], not [${x.shape}]`,
        );
      }
      const own = taken.has(dx) ? tf.clone(dx) : dx;
      taken.add(own);
      return own;
    });
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
