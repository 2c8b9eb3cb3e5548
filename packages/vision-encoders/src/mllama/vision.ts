import {
  type CanvasPreprocessing,
  type ImageBatch,
  type ImageEncoder,
  type ImageFeatures,
  type ImageTokens,
  Module,
  normal,
  Parameter,
  type PreparedImage,
} from '@mmllm/core';
import { LayerNorm } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { statesAt } from '../shared/hidden-states';
import { densePixels, type PictureSize } from '../shared/layout';
import { PatchEmbedding } from '../shared/patch-embedding';
import { clipPixels } from '../shared/preprocessing';
import { MllamaBlock } from './block';
import { canvasesOf, layoutTiles } from './canvas';
import type { ResolvedMllamaConfig } from './config';
import { TileEmbedding } from './tile-embedding';

/** Of the norms before and after the local layers: both codes leave PyTorch's default. */
const OUTER_EPS = 1e-5;
/** The tokens of a tile are filled up to a multiple of this. */
const TOKEN_MULTIPLE = 8;

/**
 * The image tower of Llama 3.2 Vision: the tiles of one picture see each other. Local layers, then gated global ones;
 * some of the local states are features too.
 */
export class MllamaVision extends Module implements ImageEncoder {
  readonly specVersion = 'image-encoder/v1';
  readonly name = 'mllama';
  readonly featureSize: number;
  readonly preprocessing: CanvasPreprocessing;
  readonly patchEmbedding: PatchEmbedding;
  readonly classToken: Parameter;
  /** float32[1 + patches, hiddenSize], the class token's row first: the same for all tiles. */
  readonly positionEmbedding: Parameter;
  /** Positions of their own for each tile; what they gain in weight, those of all tiles lose. */
  readonly tilePositions: TileEmbedding;
  readonly preTile: TileEmbedding;
  readonly postTile: TileEmbedding;
  readonly preNorm: LayerNorm;
  readonly postNorm: LayerNorm;
  readonly layers: readonly MllamaBlock[];
  readonly globalLayers: readonly MllamaBlock[];
  private readonly config: ResolvedMllamaConfig;

  constructor(config: ResolvedMllamaConfig) {
    super();
    const { imageSize, patchSize, hiddenSize, maxTiles } = config;
    const initializer = normal(config.initializerRange);
    this.config = config;
    this.featureSize = hiddenSize * (1 + config.tapDepths.length);
    this.preprocessing = {
      kind: 'canvas',
      alpha: 'white',
      tileSize: imageSize,
      maxTiles,
      grids: config.aspectRatios.map(([rows, columns]) => ({ rows, columns })),
      resample: 'bilinear',
      ...clipPixels,
      ...config.normalisation,
    };
    this.patchEmbedding = new PatchEmbedding({ patchSize, hiddenSize, bias: false, initializer });
    this.classToken = new Parameter([hiddenSize], { initializer });
    this.positionEmbedding = new Parameter([this.tokensOfTile, hiddenSize], { initializer });
    const ofTiles = (tileSize: number) =>
      new TileEmbedding({ numAspectRatios: config.aspectRatios.length, maxTiles, tileSize, initializer });
    this.tilePositions = ofTiles(this.tokensOfTile * hiddenSize);
    this.preTile = ofTiles(hiddenSize);
    this.postTile = ofTiles(hiddenSize);
    this.preNorm = new LayerNorm(hiddenSize, OUTER_EPS);
    this.postNorm = new LayerNorm(hiddenSize, OUTER_EPS);
    const blocks = (length: number, gated: boolean) =>
      Array.from({ length }, () => new MllamaBlock(config, { gated }));
    this.layers = blocks(config.numLayers, false);
    this.globalLayers = blocks(config.numGlobalLayers, true);
  }

  /** @throws ShapeError for pictures of another number or size of tiles, or of a canvas that is not known. */
  layout(images: readonly PreparedImage[]): ImageTokens[] {
    canvasesOf(images, this.config);
    return layoutTiles(images, this.side);
  }

  /** Rows of tiles that only fill a picture up have no meaning, and 0 in the mask. */
  encode(batch: ImageBatch): ImageFeatures {
    const canvases = canvasesOf(batch.images, this.config);
    const images = layoutTiles(batch.images, this.side);
    const pixels = densePixels(batch, this.tileSize, "encoder 'mllama'");
    const ids = Int32Array.from(canvases, ({ id }) => id);
    const features = tf.tidy(() => {
      const tokens = tf.tidy(() => this.embed(pixels, ids));
      const postTile = this.postTile.forward(ids);
      const rows = canvases.map(({ numTiles }, i) =>
        tf.tidy(() => {
          const picture = tf.slice3d(tokens, [i, 0, 0], [1, -1, -1]);
          return this.picture(picture, tf.slice2d(postTile, [i, 0], [1, -1]), numTiles);
        }),
      );
      return rows.length > 1 ? tf.concat2d(rows, 0) : rows[0];
    });
    const mask = new Uint8Array(features.shape[0]);
    for (const view of images.flatMap(({ views }) => views)) {
      if (view.valid !== false) mask.fill(1, view.start, view.start + view.count);
    }
    return { features, images, mask };
  }

  private get tileSize(): PictureSize {
    return { height: this.config.imageSize, width: this.config.imageSize };
  }

  /** Patches along a side of a tile. */
  private get side(): number {
    return Math.floor(this.config.imageSize / this.config.patchSize);
  }

  private get tokensOfTile(): number {
    return this.side ** 2 + 1;
  }

  /**
   * float32[B · maxTiles, H, W, 3] to float32[B, T, hiddenSize]: the tokens of all tiles, then what fills them up.
   * Transformers puts the filling behind each tile, which is the same to attention.
   *
   * There always is some: the patches of a square and the class token are never a multiple of 8. (Without any,
   * transformers 5.18 would take every token for padding, for its slice `[-0:]` is all of them.)
   */
  private embed(pixels: tf.Tensor4D, ids: Int32Array): tf.Tensor3D {
    const { hiddenSize, maxTiles } = this.config;
    const { tokensOfTile } = this;
    const batch = ids.length;
    const patches = tf.reshape(this.patchEmbedding.forward(pixels), [batch, maxTiles, -1, hiddenSize]);
    const placed = tf.add(patches, tf.reshape(this.preTile.forward(ids), [batch, maxTiles, 1, hiddenSize]));
    // The class token stands in a row of zeros, so that it needs no copy for each tile.
    const tokens = tf.pad(placed, [
      [0, 0],
      [0, 0],
      [1, 0],
      [0, 0],
    ]);
    const tilePositions = tf.reshape(this.tilePositions.forward(ids), tokens.shape);
    const x = this.preNorm.forward(tf.add(tf.add(tokens, this.startValues()), tilePositions));
    const filling = maxTiles * (TOKEN_MULTIPLE - (tokensOfTile % TOKEN_MULTIPLE));
    return tf.pad3d(tf.reshape<tf.Rank.R3>(x, [batch, maxTiles * tokensOfTile, hiddenSize]), [
      [0, 0],
      [0, filling],
      [0, 0],
    ]);
  }

  /** The positions of all tiles, with the class token added to the first row: float32[tokensOfTile, hiddenSize]. */
  private startValues(): tf.Tensor {
    const positions = tf.mul(this.positionEmbedding.value, tf.sub(1, tf.tanh(this.tilePositions.gate.value)));
    const row = tf.reshape<tf.Rank.R2>(this.classToken.value, [1, -1]);
    return tf.add(
      positions,
      tf.pad2d(row, [
        [0, this.tokensOfTile - 1],
        [0, 0],
      ]),
    );
  }

  /**
   * One picture, float32[1, T, hiddenSize], of which the first tiles are real: float32[maxTiles · tokensOfTile,
   * featureSize].
   */
  private picture(x: tf.Tensor3D, postTile: tf.Tensor2D, numTiles: number): tf.Tensor2D {
    const { tapDepths, numLayers, maxTiles } = this.config;
    const numReal = numTiles * this.tokensOfTile;
    const states = statesAt([...tapDepths, numLayers], x, (state, i) =>
      this.layers[i].forward(state, numReal),
    );
    const [taps, local] = [states.slice(0, -1), states[tapDepths.length]];
    const start = this.addPostTile(this.postNorm.forward(local), postTile);
    const [last] = statesAt([this.globalLayers.length], start, (state, i) =>
      this.globalLayers[i].forward(state, numReal),
    );
    const rows = maxTiles * this.tokensOfTile;
    const cut = (state: tf.Tensor3D) =>
      tf.reshape<tf.Rank.R2>(tf.slice3d(state, [0, 0, 0], [-1, rows, -1]), [rows, -1]);
    return taps.length > 0 ? tf.concat2d([cut(last), interleaved(taps.map(cut))], 1) : cut(last);
  }

  /** Adds a vector to all tokens of each tile, those that fill it up among them. */
  private addPostTile(x: tf.Tensor3D, postTile: tf.Tensor2D): tf.Tensor3D {
    const { maxTiles, hiddenSize } = this.config;
    const vectors = tf.reshape(postTile, [maxTiles, 1, hiddenSize]);
    const rows = maxTiles * this.tokensOfTile;
    const parts = [tf.slice3d(x, [0, 0, 0], [-1, rows, -1]), tf.slice3d(x, [0, rows, 0], [-1, -1, -1])];
    const added = parts.map((part) => {
      const tiles = tf.add(tf.reshape(part, [maxTiles, -1, hiddenSize]), vectors);
      return tf.reshape<tf.Rank.R3>(tiles, part.shape);
    });
    return tf.concat3d(added, 1);
  }
}

/** K states float32[N, D] side by side, channel by channel: float32[N, D · K]. */
function interleaved(states: readonly tf.Tensor2D[]): tf.Tensor2D {
  const [rows, size] = states[0].shape;
  const flat = states.map((state) => tf.reshape<tf.Rank.R2>(state, [1, -1]));
  return tf.reshape(tf.transpose(tf.concat2d(flat, 0)), [rows, size * states.length]);
}
