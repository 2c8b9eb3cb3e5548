import {
  type DecoderInputs,
  type Fusion,
  type FusionFactory,
  type FusionInputs,
  type ImageTokens,
  Module,
  type SequencePiece,
  textOrder,
} from '@mmllm/core';
import { placeImages } from '@mmllm/fusion-unified';
import { type CrossAttentionOptions, type ResolvedConfig, resolveConfig } from './config';
import type { GatedCrossAttention } from './layer';
import { buildLayers, injectLayers } from './layers';
import { PictureKeys, refusePacked } from './pictures';

const name = 'cross-attention';
const component = `fusion '${name}'`;

class CrossAttention extends Module implements Fusion {
  readonly specVersion = 'fusion/v1';
  readonly name = name;
  readonly layers: readonly GatedCrossAttention[];
  readonly #places: readonly number[];

  constructor(config: ResolvedConfig) {
    super();
    this.layers = buildLayers(config);
    this.#places = config.places;
  }

  placeholders(_image: ImageTokens): SequencePiece[] {
    return [{ kind: 'marker' }];
  }

  fuse(inputs: FusionInputs): DecoderInputs {
    const images = placeImages(component, inputs, () => 1);
    const embeddings = inputs.embed(inputs.ids);
    const sequence = { embeddings, ...textOrder(inputs) };
    if (images.length === 0) return sequence;
    try {
      refusePacked(component, inputs);
      const encoded = inputs.encode();
      const keys = new PictureKeys(images, inputs.ids.shape, ({ views }) => views, encoded.mask);
      return { ...sequence, ...injectLayers(component, this.layers, this.#places, keys, encoded) };
    } catch (error) {
      embeddings.dispose();
      throw error;
    }
  }
}

/**
 * Method B: the text looks at the pictures through gated cross-attention layers between the decoder's own. A picture is
 * one marker token in the text; each token sees the pictures of its sample whose marker stands at or before it, and
 * one that sees none passes unchanged, as does a text without pictures. Generated tokens see all pictures.
 *
 * The marker is a token of the decoder's vocabulary.
 *
 * `build` throws ConfigError if the decoder lacks a layer that is named.
 */
export function crossAttention(options: CrossAttentionOptions): FusionFactory {
  return {
    specVersion: 'fusion/v1',
    name,
    build: ({ decoder }) => new CrossAttention(resolveConfig('crossAttention', options, decoder)),
  };
}
