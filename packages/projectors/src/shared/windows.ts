import { type ImageTokens, ShapeError, type TokenGrid, type ViewTokens } from '@mmllm/core';
import { selectRows } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { called, gridOf, gridText, numTokens } from './features';
import { relayout } from './layout';

export interface WindowOptions {
  /** Named in errors. */
  readonly projector: string;
  readonly rows: number;
  readonly columns: number;
  /** What becomes of the last rows and columns where they fill no whole window; `pad` fills them up with zeros. */
  readonly remainder: 'refuse' | 'drop' | 'pad';
}

/**
 * Cuts the grid of each view and frame into windows, row by row, each of which becomes one token. Tokens that stand in
 * front of the grid are left out.
 */
export class Windows {
  /** Tokens of a window. */
  readonly size: number;

  constructor(private readonly options: WindowOptions) {
    this.size = options.rows * options.columns;
  }

  /** @throws ShapeError for tokens that form no grid, or one that the windows do not fit. */
  layout(images: readonly ImageTokens[]): ImageTokens[] {
    return relayout(images, (view) => {
      const grid = this.windowGrid(gridOf(this.options.projector, view));
      return { count: numTokens(grid), grid };
    });
  }

  /** float32[rows, D] to float32[windows, size, D], the tokens of a window row by row. */
  cut(features: tf.Tensor2D, images: readonly ImageTokens[]): tf.Tensor3D {
    return tf.tidy(() => {
      const rows = selectRows(features, this.places(images));
      return tf.reshape(rows, [-1, this.size, features.shape[1]]);
    });
  }

  /** uint8[windows]: a window counts if one of its tokens does. */
  mask(images: readonly ImageTokens[], mask: Uint8Array | undefined): Uint8Array | undefined {
    if (!mask) return undefined;
    const places = this.places(images);
    return Uint8Array.from({ length: places.length / this.size }, (_, window) => {
      const own = places.subarray(window * this.size, (window + 1) * this.size);
      return Number(own.some((place) => place >= 0 && mask[place] !== 0));
    });
  }

  /** The row of each token of each window, −1 for padding. */
  private places(images: readonly ImageTokens[]): Int32Array {
    const views = images.flatMap((image) => image.views);
    return Int32Array.from(views.flatMap((view) => this.placesIn(view)));
  }

  private placesIn(view: ViewTokens): number[] {
    const grid = gridOf(this.options.projector, view);
    const windows = this.windowGrid(grid);
    const first = view.start + view.prefix;
    return Array.from({ length: numTokens(windows) * this.size }, (_, at) => {
      const [window, inside] = divide(at, this.size);
      const [line, left] = divide(window, windows.columns);
      const [frame, top] = divide(line, windows.rows);
      const [below, right] = divide(inside, this.options.columns);
      const row = top * this.options.rows + below;
      const column = left * this.options.columns + right;
      if (row >= grid.rows || column >= grid.columns) return -1;
      return first + (frame * grid.rows + row) * grid.columns + column;
    });
  }

  private windowGrid(grid: TokenGrid): TokenGrid {
    const { projector, rows, columns, remainder } = this.options;
    const round = remainder === 'pad' ? Math.ceil : Math.floor;
    const windows = {
      frames: grid.frames,
      rows: round(grid.rows / rows),
      columns: round(grid.columns / columns),
    };
    const isWhole = windows.rows * rows === grid.rows && windows.columns * columns === grid.columns;
    if (numTokens(windows) > 0 && (isWhole || remainder !== 'refuse')) return windows;
    throw new ShapeError({
      component: called(projector),
      expected:
        remainder === 'refuse'
          ? `a grid of whole windows of ${rows}×${columns} tokens`
          : `a grid of at least ${rows}×${columns} tokens`,
      actual: `one of ${gridText(grid)}`,
    });
  }
}

/** Quotient and remainder. */
const divide = (n: number, by: number): [number, number] => [Math.floor(n / by), n % by];
