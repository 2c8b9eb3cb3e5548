import {
  type DecoderInputs,
  type Fusion,
  type FusionFactory,
  type FusionInputs,
  type ImageTokens,
  Module,
  type SequencePiece,
  ShapeError,
  type TokenIds,
  textOrder,
  type ViewTokens,
} from '@mmllm/core';
import {
  countFeatureRows,
  embedText,
  featureRows,
  type PlacedImage,
  placeImages,
  replaceRows,
  sourceRows,
} from '@mmllm/fusion-unified';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type HybridOptions, type ResolvedConfig, resolveConfig } from './config';
import type { GatedCrossAttention } from './layer';
import { buildLayers, injectLayers } from './layers';
import { type Key, keysOf, PictureKeys, refusePacked } from './pictures';
import { findBefore, taggedViews } from './tags';

const name = 'hybrid';
const component = `fusion '${name}'`;

class Hybrid extends Module implements Fusion {
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
    const features: SequencePiece = { kind: 'features', count: countFeatureRows(inSequence(image)) };
    return tags ? [{ kind: 'text', text: tags.thumbnail.text }, features] : [features];
  }

  fuse(inputs: FusionInputs): DecoderInputs {
    const { ids } = inputs;
    const images = placeImages(component, inputs, (image) => countFeatureRows(inSequence(image)));
    const firsts = this.#firsts(ids, images);
    const tiles = images.map(({ image }) => this.#acrossLayers(image));
    const text = embedText(inputs);
    if (images.length === 0) return { embeddings: text, ...textOrder(inputs) };
    let embeddings: Tensor3D | undefined;
    let tags: Tensor2D | undefined;
    try {
      refusePacked(component, inputs);
      const encoded = inputs.encode();
      const source = sourceRows(images, ids.shape, (image) => featureRows(inSequence(image)));
      embeddings = replaceRows(component, text, { features: encoded.features, source });
      tags = embedTags(inputs, tiles.flat());
      // Their rows count behind those of the features.
      let row = encoded.features.shape[0];
      const tagKeys = (ids: readonly number[]) => ids.map((): Key => ({ row: row++, isFilling: false }));
      const pictures = images.map(({ sample, positions }, i) => ({
        ...{ sample, first: firsts[i], last: positions[positions.length - 1] },
        views: tiles[i].map(({ view, tag }) => [...tagKeys(tag), ...keysOf(view, encoded.mask)]),
      }));
      const keys = new PictureKeys(pictures, ids.shape, this.#config.sight);
      const injected = injectLayers(component, this.layers, this.#config.places, keys, encoded, tags);
      return { embeddings, ...textOrder(inputs), ...injected };
    } catch (error) {
      embeddings?.dispose();
      throw error;
    } finally {
      text.dispose();
      tags?.dispose();
    }
  }

  /** From where on each picture is seen. */
  #firsts(ids: TokenIds, images: readonly PlacedImage[]): number[] {
    const { opening } = this.#config;
    return images.map(({ sample, positions: [position] }, i) => {
      if (!opening) return position;
      const before = images[i - 1]?.sample === sample ? images[i - 1].positions : [];
      const after = before.length > 0 ? before[before.length - 1] + 1 : 0;
      return findBefore(component, ids, sample, { position, after, tokens: opening });
    });
  }

  /** The views that are seen through the layers: the tiles, or the only one. */
  #acrossLayers(image: ImageTokens): TileSeen[] {
    const { single, tags } = this.#config;
    const { views } = image;
    const tiles = views.filter(({ role }) => role === 'tile');
    if (tiles.length === 0 && views.length === 1 && single === 'both') return [{ view: views[0], tag: [] }];
    if (!tags) return tiles.map((view) => ({ view, tag: [] }));
    return taggedViews(component, image, tags)
      .filter(({ tag }) => tag !== tags.thumbnail)
      .map(({ view, tag }) => ({ view: views[view], tag: tag.ids }));
  }
}

/** A view that is seen through the layers, and the tokens of its tag. */
interface TileSeen {
  readonly view: ViewTokens;
  readonly tag: readonly number[];
}

/** Embeddings of the tags of these tiles, float32[tokens, D]. The caller owns them. */
function embedTags({ embed }: FusionInputs, tiles: readonly TileSeen[]): Tensor2D | undefined {
  const data = Int32Array.from(tiles.flatMap(({ tag }) => tag));
  if (data.length === 0) return undefined;
  return tf.tidy(() => tf.squeeze<Tensor2D>(embed({ data, shape: [1, data.length] }), [0]));
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

/**
 * Both methods (NVLM-H, Dai et al. 2024, arXiv:2409.11402): the thumbnail stands in the text as in `unified`, and the
 * tiles are seen through layers as those of `crossAttention`, from the picture's opening or the thumbnail's first token
 * on. A picture of one view is seen both ways, unless it is to stand in the sequence alone.
 *
 * `build` throws ConfigError if the decoder lacks a layer that is named.
 */
export function hybrid(options: HybridOptions): FusionFactory {
  return {
    specVersion: 'fusion/v1',
    name,
    build: ({ decoder }) => new Hybrid(resolveConfig('hybrid', options, decoder)),
  };
}
