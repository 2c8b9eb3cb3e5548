import { type DecoderInputs, type ImageFeatures, type LayerInjection, ShapeError } from '@mmllm/core';
import type { KeyValues } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { ResolvedConfig } from './config';
import { GatedCrossAttention } from './layer';
import type { PictureKeys } from './pictures';

/** One cross-attention layer for every place. */
export function buildLayers({ places, layer }: ResolvedConfig): GatedCrossAttention[] {
  return places.map(() => new GatedCrossAttention(layer));
}

/**
 * The layers as injections before the decoder's, with `dispose` for what they keep. None where there is nothing to see.
 *
 * Keys and values are made at the first call and kept. Under a gradient they are made anew each time: kept ones would
 * belong to the tape of another pass.
 *
 * @throws ShapeError if the features lack a row.
 */
export function injectLayers(
  component: string,
  layers: readonly GatedCrossAttention[],
  places: readonly number[],
  keys: PictureKeys,
  features: ImageFeatures,
  more?: tf.Tensor2D,
): Pick<DecoderInputs, 'injections' | 'dispose'> {
  if (keys.length === 0) return {};
  const source = keys.gather(component, features, more);
  tf.keep(source);
  const kept = new Map<GatedCrossAttention, KeyValues>();
  const keyValuesOf = (layer: GatedCrossAttention): KeyValues => {
    if (tf.engine().state.gradientDepth > 0) return layer.keyValues(source);
    let made = kept.get(layer);
    if (!made) {
      made = tf.tidy(() => {
        const { k, v } = layer.keyValues(source);
        return { k: tf.keep(k), v: tf.keep(v) };
      });
      kept.set(layer, made);
    }
    return made;
  };
  const injections = layers.map(
    (layer, i): LayerInjection => ({
      layer: places[i],
      place: 'before',
      apply: (hidden, offset) =>
        tf.tidy(() => {
          const copies = copiesOf(component, hidden, keys.batch);
          // A sample's rows see the same pictures, so their tokens can stand in one row.
          const joined = tf.reshape<tf.Rank.R3>(hidden, [
            keys.batch,
            copies * hidden.shape[1],
            hidden.shape[2],
          ]);
          const sight = keys.sight(offset, hidden.shape[1], copies);
          return tf.reshape(layer.forward(joined, keyValuesOf(layer), sight), hidden.shape);
        }),
    }),
  );
  const dispose = () => {
    source.dispose();
    for (const { k, v } of kept.values()) tf.dispose([k, v]);
    kept.clear();
  };
  return { injections, dispose };
}

/**
 * How many rows of the decoder each sample has, as in beam search.
 * @throws ShapeError if they are not equally many.
 */
function copiesOf(component: string, { shape: [rows] }: tf.Tensor3D, batch: number): number {
  if (rows > 0 && rows % batch === 0) return rows / batch;
  throw new ShapeError({
    component,
    expected: `rows for the ${batch} samples that it was given, equally many of each`,
    actual: `${rows}`,
  });
}
