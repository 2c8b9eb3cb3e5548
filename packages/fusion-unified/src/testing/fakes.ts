import {
  type ImageBatch,
  type ImageEncoder,
  type ImageFeatures,
  type ImageTokens,
  type ImageView,
  Module,
  type PreparedImage,
  random,
  type ViewRole,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

/** Rows of one view: 2 × 2 pixels, each a row. */
export const VIEW_ROWS = 4;

/** Pixels as they are: no parameters, a feature row of width 3 for every pixel. */
export class PixelEncoder extends Module implements ImageEncoder {
  readonly specVersion = 'image-encoder/v1';
  readonly name = 'pixels';
  readonly featureSize = 3;
  readonly preprocessing: ImageEncoder['preprocessing'] = {
    kind: 'fixed',
    size: { height: 2, width: 2 },
    fit: 'stretch',
    resample: 'bilinear',
    rescale: 1,
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
  /** How often it ran. */
  runs = 0;

  layout(images: readonly PreparedImage[]): ImageTokens[] {
    let start = 0;
    return images.map(({ views }) => ({
      views: views.map(({ role, valid }) => {
        const view = { role, valid, start, count: VIEW_ROWS, prefix: 0 };
        start += VIEW_ROWS;
        return view;
      }),
    }));
  }

  encode(batch: ImageBatch): ImageFeatures {
    if (batch.kind !== 'dense') throw new Error('dense pictures only');
    this.runs++;
    return { features: tf.reshape(batch.pixels, [-1, 3]), images: this.layout(batch.images) };
  }
}

/** The views of a picture: `'tile'`, or `'tile:filling'` for one that does not count. */
export type ViewText = ViewRole | `${ViewRole}:filling`;

/** Pictures with the given views and random pixels. The caller disposes of the pixels. */
export function randomPictures(pictures: readonly (readonly ViewText[])[], seed = 1) {
  const source = random(seed);
  const images = pictures.map((views): PreparedImage => {
    const prepared = views.map((text): ImageView => {
      const [role, filling] = text.split(':');
      return { role: role as ViewRole, height: 2, width: 2, valid: filling === undefined };
    });
    return { views: prepared, original: { height: 2, width: 2 } };
  });
  const numViews = pictures.reduce((sum, views) => sum + views.length, 0);
  const values = Float32Array.from({ length: numViews * VIEW_ROWS * 3 }, () => source.normal());
  const pixels = tf.tensor4d(values, [numViews, 2, 2, 3]);
  return { kind: 'dense' as const, images, pixels };
}

/** Ids of all samples, padded to one length on one side with id 0. */
export function paddedIds(rows: readonly (readonly number[])[], side: 'left' | 'right' = 'left') {
  const length = Math.max(...rows.map((row) => row.length));
  const data = rows.flatMap((row) => {
    const padding = new Array(length - row.length).fill(0);
    return side === 'left' ? [...padding, ...row] : [...row, ...padding];
  });
  return {
    ids: { data: Int32Array.from(data), shape: [rows.length, length] as const },
    start: Int32Array.from(rows, (row) => (side === 'left' ? length - row.length : 0)),
    end: Int32Array.from(rows, (row) => (side === 'left' ? length : row.length)),
  };
}
