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
import { keysOf, PictureKeys, refusePacked } from './pictures';
import { findTags, taggedViews } from './tags';

const name = 'cross-attention';
const component = `fusion '${name}'`;

class CrossAttention extends Module implements Fusion {
  readonly specVersion = 'fusion/v1';
  readonly name = name;
  readonly layers: readonly GatedCrossAttention[];
  readonly #config: ResolvedConfig;

  constructor(config: ResolvedConfig) {
    super();
    this.layers = buildLayers(config);
    this.#config = config;
  }

  placeholders(image: ImageTokens): SequencePiece[] {
    const { tags } = this.#config;
    const named = tags ? taggedViews(component, image, tags) : [];
    return [{ kind: 'marker' }, ...named.map(({ tag }): SequencePiece => ({ kind: 'text', text: tag.text }))];
  }

  fuse(inputs: FusionInputs): DecoderInputs {
    const images = placeImages(component, inputs, () => 1);
    const { places, sight, tags } = this.#config;
    const { ids } = inputs;
    const alone = images.map(
      ({ image, sample, positions: [marker] }) =>
        tags && findTags(component, ids, sample, marker + 1, taggedViews(component, image, tags)),
    );
    const embeddings = inputs.embed(ids);
    const sequence = { embeddings, ...textOrder(inputs) };
    if (images.length === 0) return sequence;
    try {
      refusePacked(component, inputs);
      const encoded = inputs.encode();
      const pictures = images.map(({ image, sample, positions: [marker] }, i) => ({
        ...{ sample, first: marker, last: marker, alone: alone[i] },
        views: image.views.map((view) => keysOf(view, encoded.mask)),
      }));
      const keys = new PictureKeys(pictures, ids.shape, sight);
      return { ...sequence, ...injectLayers(component, this.layers, places, keys, encoded) };
    } catch (error) {
      embeddings.dispose();
      throw error;
    }
  }
}

/**
 * Method B: the text looks at the pictures through gated cross-attention layers between the decoder's own. A picture is
 * one marker token in the text; each token sees the pictures of its sample whose marker stands at or before it, or the
 * latest, and one that sees none passes unchanged, as does a text without pictures. Generated tokens see what the last
 * one of the prompt sees.
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
