import type { DecoderInputs, ImageFeatures, LayerInjection } from '@mmllm/core';
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
): Pick<DecoderInputs, 'injections' | 'dispose'> {
  if (keys.length === 0) return {};
  const source = keys.gather(component, features);
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
        tf.tidy(() => layer.forward(hidden, keyValuesOf(layer), keys.sight(offset, hidden.shape[1]))),
    }),
  );
  const dispose = () => {
    source.dispose();
    for (const { k, v } of kept.values()) tf.dispose([k, v]);
    kept.clear();
  };
  return { injections, dispose };
}
