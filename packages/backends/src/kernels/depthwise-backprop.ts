import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { attrsOf, type KernelFix } from './fix';
import { wasmMemory } from './host-arrays';

type Info = tf.backend_util.Conv2DInfo;

/**
 * Visits every product of a depthwise convolution, one channel's run at a time: `visit` gets the positions of an input
 * element, and of the first of `M` filter and output elements that belong to it.
 */
function eachRun(info: Info, visit: (xAt: number, filterAt: number, yAt: number) => void): void {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, padInfo } = info;
  const multiplier = info.outChannels / inChannels;
  for (let pixel = 0; pixel < batchSize * outHeight * outWidth; pixel++) {
    const batch = Math.floor(pixel / (outHeight * outWidth));
    const top = (Math.floor(pixel / outWidth) % outHeight) * info.strideHeight - padInfo.top;
    const left = (pixel % outWidth) * info.strideWidth - padInfo.left;
    for (let tap = 0; tap < info.filterHeight * info.filterWidth; tap++) {
      const row = top + Math.floor(tap / info.filterWidth) * info.dilationHeight;
      const column = left + (tap % info.filterWidth) * info.dilationWidth;
      if (row < 0 || row >= inHeight || column < 0 || column >= inWidth) continue;
      const xAt = ((batch * inHeight + row) * inWidth + column) * inChannels;
      for (let channel = 0; channel < inChannels; channel++) {
        const filterAt = (tap * inChannels + channel) * multiplier;
        visit(xAt + channel, filterAt, (pixel * inChannels + channel) * multiplier);
      }
    }
  }
}

const infoOf = (
  inputShape: number[],
  filterShape: number[],
  { strides, dilations, pad, dimRoundingMode }: Omit<tf.DepthwiseConv2dNativeAttrs, 'dataFormat'>,
): Info =>
  tf.backend_util.computeConv2DInfo(
    // Ranks are checked by the op.
    inputShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    strides,
    dilations,
    pad,
    dimRoundingMode,
    true,
  );

export const depthwiseBackpropInputFix: KernelFix = {
  kernelName: tf.DepthwiseConv2dNativeBackpropInput,
  backends: ['wasm'],
  reason: 'missing: the gradient of the input of a depthwise convolution',
  create: () => (params) => {
    const { dy, filter } = params.inputs;
    const attrs = attrsOf<tf.DepthwiseConv2dNativeBackpropInputAttrs>(params);
    const memory = wasmMemory(params.backend as BackendWasm);
    const output = memory.allocate(attrs.inputShape, 'float32');
    const [dx, weights, dys] = [memory.view(output).fill(0), memory.view(filter!), memory.view(dy!)];
    const multiplier = filter!.shape[3]!;
    eachRun(infoOf(attrs.inputShape, filter!.shape, attrs), (xAt, filterAt, yAt) => {
      for (let m = 0; m < multiplier; m++) dx[xAt]! += dys[yAt + m]! * weights[filterAt + m]!;
    });
    return output;
  },
};

export const depthwiseBackpropFilterFix: KernelFix = {
  kernelName: tf.DepthwiseConv2dNativeBackpropFilter,
  backends: ['wasm'],
  reason: 'missing: the gradient of the filter of a depthwise convolution',
  create: () => (params) => {
    const { x, dy } = params.inputs;
    const attrs = attrsOf<tf.DepthwiseConv2dNativeBackpropFilterAttrs>(params);
    const memory = wasmMemory(params.backend as BackendWasm);
    const output = memory.allocate(attrs.filterShape, 'float32');
    const [dw, values, dys] = [memory.view(output).fill(0), memory.view(x!), memory.view(dy!)];
    const multiplier = attrs.filterShape[3];
    eachRun(infoOf(x!.shape, attrs.filterShape, attrs), (xAt, filterAt, yAt) => {
      for (let m = 0; m < multiplier; m++) dw[filterAt + m]! += values[xAt]! * dys[yAt + m]!;
    });
    return output;
  },
};
