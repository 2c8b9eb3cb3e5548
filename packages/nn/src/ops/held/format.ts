import { ConfigError, WEIGHT_TYPES, type WeightFormat, type WeightType } from '@mmllm/core';
import { holdWeight } from './hold';
import { heldWriter } from './writer';

/**
 * The format of a type for `Parameter.hold`; undefined for float32.
 *
 * @param inputAxis which axis of the parameter's two a product sums over: 0 for a layer of [In, Out], 1 for a table
 * @throws ConfigError for an unknown type.
 */
export function weightFormat(type: WeightType, inputAxis: 0 | 1): WeightFormat | undefined {
  if (!WEIGHT_TYPES.includes(type)) {
    throw new ConfigError({
      component: 'held weights',
      expected: WEIGHT_TYPES.join(', '),
      actual: String(type),
    });
  }
  if (type === 'float32') return undefined;
  return {
    type,
    hold: (values, shape, path) =>
      // Weights of layers and tables are matrices.
      holdWeight({ values, shape: shape as [number, number], inputAxis }, type, path),
    writer: (shape, path, { turned = false }) =>
      // Rows that come in the order of the file are outputs with all their inputs, or else inputs.
      turned === (inputAxis === 0)
        ? heldWriter({ type, shape: shape as [number, number], inputAxis, path })
        : undefined,
  };
}
