import {
  type DecoderInputs,
  type Fusion,
  type ImageEncoder,
  type ImageFeatures,
  type ImagePreprocessing,
  type ImageTokens,
  Module,
  type PreparedImage,
  type Projector,
  rowsOf,
  type SequencePiece,
} from '@mmllm/core';

const unused = (): never => {
  throw new Error('the processor runs no kernel');
};

/** An encoder of which a processor sees the preprocessing and the layout: one token for each 4×4 pixels. */
export class LayoutEncoder extends Module implements ImageEncoder {
  readonly specVersion = 'image-encoder/v1';
  readonly name = 'layout';
  readonly featureSize = 3;
  readonly preprocessing: ImagePreprocessing;

  constructor(preprocessing: ImagePreprocessing) {
    super();
    this.preprocessing = preprocessing;
  }

  layout(images: readonly PreparedImage[]): ImageTokens[] {
    let start = 0;
    return images.map(({ views, tiles }) => ({
      tiles,
      views: views.map(({ height, width, role, tile }) => {
        const grid = { frames: 1, rows: height / 4, columns: width / 4 };
        const tokens = { role, tile, start, count: grid.rows * grid.columns, prefix: 0, grid };
        start += tokens.count;
        return tokens;
      }),
    }));
  }

  encode(): ImageFeatures {
    return unused();
  }
}

/** A projector that leaves half of the tokens. */
export class HalvingProjector extends Module implements Projector {
  readonly specVersion = 'projector/v1';
  readonly name = 'halving';
  readonly inputSize = 3;
  readonly outputSize = 5;

  layout(images: readonly ImageTokens[]): ImageTokens[] {
    return images.map(({ views, tiles }) => ({
      tiles,
      views: views.map(({ role, tile, start, count }) => ({
        role,
        tile,
        start: start / 2,
        count: count / 2,
        prefix: 0,
      })),
    }));
  }

  project(): ImageFeatures {
    return unused();
  }
}

/** A fusion that asks for the given pieces. Default: as many features as the picture has tokens. */
export class PiecesFusion extends Module implements Fusion {
  readonly specVersion = 'fusion/v1';
  readonly name = 'pieces';
  readonly #pieces: (image: ImageTokens) => SequencePiece[];

  constructor(pieces?: (image: ImageTokens) => SequencePiece[]) {
    super();
    this.#pieces = pieces ?? ((image) => [{ kind: 'features', count: rowsOf(image).count }]);
  }

  placeholders(image: ImageTokens): SequencePiece[] {
    return this.#pieces(image);
  }

  fuse(): DecoderInputs {
    return unused();
  }
}
