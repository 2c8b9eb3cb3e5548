import { BINARY_GRADIENTS } from './binary';
import { type Gradient, registerGradientList } from './gradient';
import { IMAGE_GRADIENTS } from './image';
import { INDEXING_GRADIENTS } from './indexing';
import { PRODUCT_GRADIENTS } from './product';
import { REDUCTION_GRADIENTS } from './reduction';
import { SHAPE_GRADIENTS } from './shape';
import { UNARY_GRADIENTS } from './unary';

/** Every gradient of a tfjs kernel that this package defines. */
export const GRADIENTS: readonly Gradient[] = [
  ...UNARY_GRADIENTS,
  ...BINARY_GRADIENTS,
  ...REDUCTION_GRADIENTS,
  ...SHAPE_GRADIENTS,
  ...INDEXING_GRADIENTS,
  ...PRODUCT_GRADIENTS,
  ...IMAGE_GRADIENTS,
];

/**
 * Registers the gradients of tfjs's kernels, which `@tensorflow/tfjs-core` does not bring along: in Node it has no file
 * to load them from, the union package `@tensorflow/tfjs` brings layers, models and data loaders with them, and several
 * are wrong. Those of the union package that have the same names are replaced. Left to it are three-dimensional
 * convolutions and pools, dilations, and the normalisations of batches and responses.
 */
export const registerGradients = (): void => registerGradientList(GRADIENTS);
