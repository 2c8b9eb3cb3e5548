import * as tf from '@tensorflow/tfjs-core';
import { ShapeError } from '../errors';
import type { WeightWriter, WriterOptions } from './writer';

/** What a weight is called in messages, and its shape. */
export interface WeightDescription {
  readonly path: string;
  readonly shape: readonly number[];
}

/** Checks that a weight gets as many numbers as it has, in whole rows, and hands the result over. */
export function checkedWriter<T>(
  inner: WeightWriter<T>,
  { path, shape }: WeightDescription,
  { turned }: WriterOptions,
  take: (result: T) => void,
): WeightWriter<void> {
  const size = tf.util.sizeFromShape([...shape]);
  const unit = turned ? shape[0]! : tf.util.sizeFromShape(shape.slice(1));
  const refuse = (actual: string) => {
    return new ShapeError({ component: path, expected: `${size} numbers, in rows of ${unit}`, actual });
  };
  if (turned && shape.length !== 2) throw refuse(`a turned weight of ${shape.length} axes`);
  let count = 0;
  return {
    write(piece) {
      const { length } = piece.values;
      if (count + length > size || length % unit !== 0) throw refuse(`${length} after ${count}`);
      inner.write(piece);
      count += length;
    },
    finish() {
      if (count !== size) throw refuse(`${count}`);
      take(inner.finish());
    },
    dispose: () => inner.dispose(),
  };
}
