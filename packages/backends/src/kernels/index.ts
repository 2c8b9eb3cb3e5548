import type { BackendName } from '../names';
import { batchMatMulFix } from './batch-matmul';
import { castToBoolFix, castToFloatFix } from './cast';
import { clipIntegersFix } from './clip';
import { conv2dBackpropFilterFix } from './conv2d-backprop-filter';
import { cumprodFix, cumsumFix } from './cumulative';
import { depthwiseBackpropFilterFix, depthwiseBackpropInputFix } from './depthwise-backprop';
import { type KernelFix, registerFixes } from './fix';
import { fusedMatMulFix } from './fused-matmul';
import { gatherFix } from './gather';
import { identityFix } from './identity';
import { argMaxFix, argMinFix, resizeBilinearGradFix } from './output-shape';
import { padFix } from './pad';
import { tileFix } from './tile';
import { unsortedSegmentSumFix } from './unsorted-segment-sum';

export type { KernelFix };

/** Every kernel that this package adds or replaces. */
const KERNEL_FIXES: readonly KernelFix[] = [
  unsortedSegmentSumFix,
  conv2dBackpropFilterFix,
  depthwiseBackpropInputFix,
  depthwiseBackpropFilterFix,
  gatherFix,
  identityFix,
  batchMatMulFix,
  fusedMatMulFix,
  castToBoolFix,
  castToFloatFix,
  clipIntegersFix,
  cumsumFix,
  cumprodFix,
  padFix,
  tileFix,
  argMaxFix,
  argMinFix,
  resizeBilinearGradFix,
];

/**
 * Fills the gaps of a backend whose package is loaded, and replaces what is wrong there. Doing it again changes
 * nothing.
 *
 * @returns the fixes that are in place for this backend.
 */
export const registerKernels = (backend: BackendName): KernelFix[] => registerFixes(KERNEL_FIXES, backend);
