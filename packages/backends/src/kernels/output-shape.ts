import { ArgMax, ArgMin, ResizeBilinearGrad, type TensorInfo } from '@tensorflow/tfjs-core';
import type { KernelFix } from './fix';

/** Gives a result its right shape, where the stock kernel computes the right elements in the right order. */
const relabel = (
  fix: Omit<KernelFix, 'create'>,
  shapeOf: (inputs: Parameters<ReturnType<KernelFix['create']>>[0]['inputs']) => number[] | undefined,
): KernelFix => ({
  ...fix,
  create: (stock) => (params) => {
    // One output; the declared type allows for kernels with several.
    const output = stock(params) as TensorInfo;
    return { ...output, shape: shapeOf(params.inputs) ?? output.shape };
  },
});

const argFix = (kernelName: string): KernelFix =>
  relabel(
    {
      kernelName,
      backends: ['webgpu'],
      reason: 'for a tensor of one axis the stock kernel returns [1] instead of a scalar',
    },
    ({ x }) => (x!.shape.length === 1 ? [] : undefined),
  );

export const argMaxFix = argFix(ArgMax);
export const argMinFix = argFix(ArgMin);

export const resizeBilinearGradFix = relabel(
  {
    kernelName: ResizeBilinearGrad,
    backends: ['cpu'],
    reason: 'for pictures that are not square the stock kernel swaps height and width',
  },
  ({ images }) => images!.shape,
);
