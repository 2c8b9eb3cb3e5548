import * as tf from '@tensorflow/tfjs-core';
import { defineKernel } from './define-op';
import { isWanted, valuesAndGradients } from './tape';

const NAME = 'mmllm/Recompute';

interface Piece {
  readonly run: (...kept: tf.Tensor[]) => tf.Tensor[];
  /** All that the piece depends on, as the outer tape knows it: `numKept` tensors, then variables. */
  readonly inputs: readonly tf.Tensor[];
  readonly numKept: number;
}

/**
 * Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): `run(...kept)`, of which only `kept` stays for the backward
 * pass, where everything else is computed once more. Loss and gradients are the same bits; what the backward pass does
 * not ask for gets no gradient. Without a gradient being recorded it is `run(...kept)`.
 *
 * @param run gives new tensors, and the same ones again for the same ones.
 * @param kept every tensor that `run` reads, besides weights.
 * @param variables the weights that `run` reads and that may be trained. For the same bits nothing else uses them.
 * @returns what `run` returns; the caller owns it.
 */
export function recompute(
  run: (...kept: tf.Tensor[]) => tf.Tensor[],
  kept: readonly tf.Tensor[],
  variables: readonly tf.Variable[],
): tf.Tensor[] {
  if (tf.engine().state.gradientDepth === 0) return tf.tidy(() => run(...kept));
  registerGradient();
  const inputs = [...kept, ...variables];
  // A list is what tfjs wants where all inputs are saved; it walks over its keys.
  const byPlace = inputs as unknown as tf.NamedTensorMap;
  return runPiece(byPlace, { run, inputs, numKept: kept.length });
}

const runPiece = defineKernel<tf.NamedTensorMap, Piece>({
  name: NAME,
  reference: (_byPlace, { run, inputs, numKept }) => run(...inputs.slice(0, numKept)),
});

function registerGradient(): void {
  if (tf.getGradient(NAME)) return;
  tf.registerGradient({
    kernelName: NAME,
    saveAllInputs: true,
    gradFunc: (dys, saved, attrs) =>
      // tfjs types attributes as JSON; it hands them on untouched.
      gradientsOf(attrs as unknown as Piece, saved, Array.isArray(dys) ? dys : [dys]),
  });
}

/** The gradients that are asked for, by place of the input. They belong to the scope of the backward pass. */
function gradientsOf(
  { run, inputs, numKept }: Piece,
  saved: readonly tf.Tensor[],
  dys: readonly tf.Tensor[],
): { [place: string]: () => tf.Tensor } {
  const kept = saved.slice(0, numKept);
  const places = [...inputs.keys()].filter((i) => isWanted(inputs[i]));
  const { values, gradients } = valuesAndGradients(
    () => run(...kept),
    places.map((i) => kept[i] ?? inputs[i]),
    () => dys.map((dy) => tf.clone(dy)),
  );
  tf.dispose(values);
  // An expert that no token went to has none, and must be left as one without a gradient.
  return Object.fromEntries(places.map((place, i) => [place, () => gradients[i] as tf.Tensor]));
}
