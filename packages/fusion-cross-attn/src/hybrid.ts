import {
  type DecoderInputs,
  type Fusion,
  type FusionFactory,
  type FusionInputs,
  type ImageTokens,
  Module,
  type SequencePiece,
  ShapeError,
  textOrder,
  type ViewTokens,
} from '@mmllm/core';
import {
  countFeatureRows,
  embedText,
  featureRows,
  placeImages,
  replaceRows,
  sourceRows,
} from '@mmllm/fusion-unified';
import type { Tensor3D } from '@tensorflow/tfjs-core';
import { type CrossAttentionOptions, type ResolvedConfig, resolveConfig } from './config';
import type { GatedCrossAttention } from './layer';
import { buildLayers, injectLayers } from './layers';
import { PictureKeys, refusePacked } from './pictures';

const name = 'hybrid';
const component = `fusion '${name}'`;

class Hybrid extends Module implements Fusion {
  readonly specVersion = 'fusion/v1';
  readonly name = name;
  readonly layers: readonly GatedCrossAttention[];
  readonly #places: readonly number[];

  constructor(config: ResolvedConfig) {
    super();
    this.layers = buildLayers(config);
    this.#places = config.places;
  }

  placeholders(image: ImageTokens): SequencePiece[] {
    return [{ kind: 'features', count: countFeatureRows(inSequence(image)) }];
  }

  fuse(inputs: FusionInputs): DecoderInputs {
    const { ids } = inputs;
    const images = placeImages(component, inputs, (image) => countFeatureRows(inSequence(image)));
    const text = embedText(inputs);
    if (images.length === 0) return { embeddings: text, ...textOrder(inputs) };
    let embeddings: Tensor3D | undefined;
    try {
      refusePacked(component, inputs);
      const encoded = inputs.encode();
      const source = sourceRows(images, ids.shape, (image) => featureRows(inSequence(image)));
      embeddings = replaceRows(component, text, { features: encoded.features, source });
      const keys = new PictureKeys(images, ids.shape, acrossLayers, encoded.mask);
      const injected = injectLayers(component, this.layers, this.#places, keys, encoded);
      return { embeddings, ...textOrder(inputs), ...injected };
    } catch (error) {
      embeddings?.dispose();
      throw error;
    } finally {
      text.dispose();
    }
  }
}

/** The view that stands in the text: the thumbnail, or the only one. */
function inSequence({ views }: ImageTokens): readonly ViewTokens[] {
  const thumbnails = views.filter(({ role }) => role === 'thumbnail');
  if (thumbnails.length > 0) return thumbnails;
  if (views.length === 1) return views;
  throw new ShapeError({
    component,
    expected: 'pictures with a thumbnail, or of a single view',
    actual: `${views.length} views of role ${[...new Set(views.map(({ role }) => role))].join(' and ')}`,
  });
}

/** The views that are seen through cross-attention: the tiles, or the only one. */
function acrossLayers({ views }: ImageTokens): readonly ViewTokens[] {
  const tiles = views.filter(({ role }) => role === 'tile');
  return tiles.length > 0 || views.length > 1 ? tiles : views;
}

/**
 * Both methods (NVLM-H, Dai et al. 2024, arXiv:2409.11402): the thumbnail stands in the text as in `unified`, and the
 * tiles are seen through layers as those of `crossAttention`, from the thumbnail's first token on. A picture of one
 * view is seen both ways.
 *
 * `build` throws ConfigError if the decoder lacks a layer that is named.
 */
export function hybrid(options: CrossAttentionOptions): FusionFactory {
  return {
    specVersion: 'fusion/v1',
    name,
    build: ({ decoder }) => new Hybrid(resolveConfig('hybrid', options, decoder)),
  };
}
