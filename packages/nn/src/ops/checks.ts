import { ShapeError } from '@mmllm/core';
import type * as tf from '@tensorflow/tfjs-core';

/** A shape as errors show it: `[2, 3]`. */
export const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** @throws ShapeError unless x is [..., D] and every given parameter [D]. */
export function checkWidth(
  component: string,
  x: tf.Tensor,
  parameters: Readonly<Record<string, tf.Tensor | undefined>>,
): void {
  const width = x.shape.at(-1);
  const given = Object.entries(parameters).flatMap(([name, tensor]) =>
    tensor ? [[name, tensor.shape] as const] : [],
  );
  if (width !== undefined && given.every(([, shape]) => shape.length === 1 && shape[0] === width)) return;
  throw new ShapeError({
    component,
    expected: `x of [..., D] and parameters of [${width ?? 'D'}]`,
    actual: [`x ${shapeText(x.shape)}`, ...given.map(([name, shape]) => `${name} ${shapeText(shape)}`)].join(
      ', ',
    ),
  });
}
