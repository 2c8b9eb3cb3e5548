import { type FusionInputs, type ImageTokens, ShapeError, type ViewTokens } from '@mmllm/core';
import { selectRows } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { featureRows, type PlacedImage } from './images';

/**
 * Embeddings of a text whose image tokens are to be replaced, float32[B, T, D]. The image token may lie outside the
 * vocabulary. The caller owns the result.
 */
export function embedText({ ids, imageTokenId, embed }: FusionInputs): tf.Tensor3D {
  return embed({ data: ids.data.map((id) => (id === imageTokenId ? 0 : id)), shape: ids.shape });
}

/**
 * The feature row that takes each place of the text, −1 where the text stays: int32[B · T].
 *
 * @param viewsOf which views of a picture stand in the text; as many rows as the picture has image tokens.
 */
export function sourceRows(
  images: readonly PlacedImage[],
  [batch, length]: readonly [number, number],
  viewsOf: (image: ImageTokens) => readonly ViewTokens[],
): Int32Array {
  const source = new Int32Array(batch * length).fill(-1);
  for (const { image, sample, positions } of images) {
    const rows = featureRows(viewsOf(image));
    positions.forEach((t, i) => {
      source[sample * length + t] = rows[i];
    });
  }
  return source;
}

/**
 * `text` with feature rows in some places. The caller owns the result.
 *
 * @param text float32[B, T, D]
 * @param features float32[rows, D]
 * @param source int32[B · T] as of `sourceRows`; no row twice.
 * @throws ShapeError if widths differ or a row is missing.
 */
export function replaceRows(
  component: string,
  text: tf.Tensor3D,
  features: tf.Tensor2D,
  source: Int32Array,
): tf.Tensor3D {
  const [batch, length, width] = text.shape;
  const needed = source.reduce((max, row) => Math.max(max, row + 1), 0);
  if (features.shape[1] !== width || features.shape[0] < needed) {
    throw new ShapeError({
      component,
      expected: `features float32[${needed} or more, ${width}]`,
      actual: `[${features.shape.join(', ')}]`,
    });
  }
  const numText = batch * length;
  return tf.tidy(() => {
    const rows = tf.concat([tf.reshape(text, [numText, width]), features], 0) as tf.Tensor2D;
    const index = source.map((row, place) => (row < 0 ? place : numText + row));
    return tf.reshape(selectRows(rows, index), text.shape);
  });
}
