import * as tf from '@tensorflow/tfjs-core';
import { type Gradient, gradient } from './gradient';

const run = (kernelName: string, inputs: tf.NamedTensorMap, attrs: object): tf.Tensor =>
  // tfjs types attributes as JSON; these are the ones that it handed over.
  tf.engine().runKernel(kernelName, inputs, attrs as tf.NamedAttrMap);

/** The gradient kernel of tfjs for a pooling or resizing kernel: same attributes, named inputs. */
const byKernel = (
  kernelName: string,
  gradientKernel: string,
  input: string,
  inputs: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.NamedTensorMap,
  output = false,
): Gradient => ({
  kernelName,
  inputs: [input],
  output,
  backward: (dy, saved, attrs) => ({ [input]: () => run(gradientKernel, inputs(dy, saved), attrs) }),
});

export const IMAGE_GRADIENTS: readonly Gradient[] = [
  gradient<tf.Conv2DAttrs>({
    kernelName: tf.Conv2D,
    inputs: ['x', 'filter'],
    backward: (dy, [x, filter], attrs) => ({
      x: () => run(tf.Conv2DBackpropInput, { dy, filter: filter! }, { ...attrs, inputShape: x!.shape }),
      filter: () => run(tf.Conv2DBackpropFilter, { x: x!, dy }, { ...attrs, filterShape: filter!.shape }),
    }),
  }),
  // The transposed convolution.
  gradient<tf.Conv2DBackpropInputAttrs>({
    kernelName: tf.Conv2DBackpropInput,
    inputs: ['dy', 'filter'],
    backward: (ddx, [dy, filter], attrs) => ({
      dy: () => run(tf.Conv2D, { x: ddx, filter: filter! }, { ...attrs, dilations: 1 }),
      filter: () =>
        run(tf.Conv2DBackpropFilter, { x: ddx, dy: dy! }, { ...attrs, filterShape: filter!.shape }),
    }),
  }),
  gradient<tf.DepthwiseConv2dNativeAttrs>({
    kernelName: tf.DepthwiseConv2dNative,
    inputs: ['x', 'filter'],
    backward: (dy, [x, filter], attrs) => ({
      x: () =>
        run(
          tf.DepthwiseConv2dNativeBackpropInput,
          { dy, filter: filter! },
          { ...attrs, inputShape: x!.shape },
        ),
      filter: () =>
        run(tf.DepthwiseConv2dNativeBackpropFilter, { x: x!, dy }, { ...attrs, filterShape: filter!.shape }),
    }),
  }),
  byKernel(tf.AvgPool, tf.AvgPoolGrad, 'x', (dy, [x]) => ({ dy, input: x! })),
  byKernel(tf.MaxPool, tf.MaxPoolGrad, 'x', (dy, [x, y]) => ({ dy, input: x!, output: y! }), true),
  byKernel(tf.ResizeBilinear, tf.ResizeBilinearGrad, 'images', (dy, [images]) => ({ dy, images: images! })),
  byKernel(tf.ResizeNearestNeighbor, tf.ResizeNearestNeighborGrad, 'images', (dy, [images]) => ({
    dy,
    images: images!,
  })),
];
