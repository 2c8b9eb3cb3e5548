import * as tf from '@tensorflow/tfjs-core';
import { defineKernel } from './define-op';
import { isWanted, valuesAndGradients } from './tape';

const NAME = 'mmllm/Recompute';

interface Piece {
  readonly run: (x: tf.Tensor) => tf.Tensor[];
  /** All that the piece depends on, as the outer tape knows it. */
  readonly inputs: { readonly x: tf.Tensor } & tf.NamedTensorMap;
}

/**
 * Gradient checkpointing (Chen et al., "Training Deep Nets with Sublinear Memory Cost"): `run(x)`, of which only `x` is
 * kept for the backward pass, where everything else is computed once more. Loss and gradients are the same bits; a
 * tensor that the backward pass does not ask for gets no gradient. Without a gradient being recorded it is `run(x)`.
 *
 * @param run gives new tensors and the same ones again for the same `x`; what it depends on and is trained is among
 * `variables`, and it is the only user of those.
 * @returns what `run` returns; the caller owns it.
 */
export function recompute(
  run: (x: tf.Tensor) => tf.Tensor[],
  x: tf.Tensor,
  variables: readonly tf.Variable[],
): tf.Tensor[] {
  if (tf.engine().state.gradientDepth === 0) return tf.tidy(() => run(x));
  registerGradient();
  const inputs = { x, ...Object.fromEntries(variables.map((variable, i) => [`v${i}`, variable])) };
  return runPiece(inputs, { run, inputs });
}

const runPiece = defineKernel<Piece['inputs'], Piece>({
  name: NAME,
  reference: ({ x }, { run }) => run(x),
});

function registerGradient(): void {
  if (tf.getGradient(NAME)) return;
  tf.registerGradient({
    kernelName: NAME,
    inputsToSave: ['x'],
    gradFunc: (dys, [x], attrs) =>
      // tfjs types attributes as JSON; it hands them on untouched.
      gradientsOf(attrs as unknown as Piece, x, Array.isArray(dys) ? dys : [dys]),
  });
}

/** The gradients that are asked for, by name of input. They belong to the scope of the backward pass. */
function gradientsOf(
  { run, inputs }: Piece,
  x: tf.Tensor,
  dys: tf.Tensor[],
): { [name: string]: () => tf.Tensor } {
  const names = Object.keys(inputs).filter((name) => isWanted(inputs[name]));
  const { values, gradients } = valuesAndGradients(
    () => run(x),
    names.map((name) => (name === 'x' ? x : inputs[name])),
    () => dys.map((dy) => tf.clone(dy)),
  );
  tf.dispose(values);
  // An expert that no token went to has none, and must be left as one without a gradient.
  return Object.fromEntries(names.map((name, i) => [name, () => gradients[i] as tf.Tensor]));
}
