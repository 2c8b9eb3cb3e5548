import { type BlockOptions, type RoutingLosses, recompute } from '@mmllm/nn';
import type * as tf from '@tensorflow/tfjs-core';
import type { DecoderLayer } from './decoder';

/**
 * `layer.forward(x, options)` with gradient checkpointing: what the layer says of its routing is an output of the piece
 * like its state, so that its gradient comes through too.
 */
export function recomputedLayer(layer: DecoderLayer, x: tf.Tensor3D, options: BlockOptions): tf.Tensor3D {
  // A cache takes over keys and values, which can only be done once.
  if (options.cache) return layer.forward(x, options);
  const { routing, rotary } = options;
  const run = (input: tf.Tensor, ...[cos, sin]: tf.Tensor[]): tf.Tensor[] => {
    const said: RoutingLosses[] = [];
    const output = layer.forward(input as tf.Tensor3D, {
      ...options,
      rotary: rotary && { ...rotary, cos: cos as tf.Tensor3D, sin: sin as tf.Tensor3D },
      routing: routing && { rows: routing.rows, add: (losses) => said.push(losses) },
    });
    return [output, ...said.flatMap(({ balance, z }) => [balance, z])];
  };
  const kept = rotary ? [x, rotary.cos, rotary.sin] : [x];
  const [output, ...losses] = recompute(run, kept, variablesOf(layer));
  for (let i = 0; i < losses.length; i += 2) {
    routing?.add({ balance: losses[i] as tf.Scalar, z: losses[i + 1] as tf.Scalar });
  }
  return output as tf.Tensor3D;
}

/** Weights that may be trained: those held as another type are frozen. */
const variablesOf = (layer: DecoderLayer): tf.Variable[] =>
  [...layer.namedParameters()]
    .map(([, parameter]) => parameter)
    .filter(({ held }) => !held)
    .map(({ value }) => value);
