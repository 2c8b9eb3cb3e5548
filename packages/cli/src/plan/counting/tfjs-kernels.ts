import * as tf from '@tensorflow/tfjs-core';
import {
  type KernelCall,
  type KernelResult,
  like,
  type Output,
  one,
  productFlops,
  type ShapeKernel,
  same,
  sizeOf,
} from './kernel';
import { product } from './op-kernels';

/** tfjs's own kernels, as far as models and their gradients use them: what they make, and when it is the same data. */
export const tfjsKernels: Readonly<Record<string, ShapeKernel>> = {
  ...named(
    [
      'Add',
      'Sub',
      'Multiply',
      'RealDiv',
      'DivNoNan',
      'Maximum',
      'Minimum',
      'Pow',
      'SquaredDifference',
      'FloorDiv',
      'Mod',
      'Prelu',
    ],
    broadcast(),
  ),
  ...named(
    ['Greater', 'GreaterEqual', 'Less', 'LessEqual', 'Equal', 'NotEqual', 'LogicalAnd', 'LogicalOr'],
    broadcast('bool'),
  ),
  ...named(
    [
      'Abs',
      'Exp',
      'Expm1',
      'Log',
      'Log1p',
      'Sqrt',
      'Rsqrt',
      'Square',
      'Tanh',
      'Sigmoid',
      'Relu',
      'Relu6',
      'Elu',
      'Neg',
      'Erf',
      'Sin',
      'Cos',
      'Floor',
      'Ceil',
      'Round',
      'Sign',
      'Step',
      'Softplus',
      'Reciprocal',
      'Softmax',
      'LogSoftmax',
      'ClipByValue',
      'ZerosLike',
      'OnesLike',
      'Cumsum',
      'Reverse',
      'AddN',
    ],
    (call) => one(like(first(call))),
  ),
  ...named(['IsFinite', 'IsNan', 'IsInf', 'LogicalNot'], (call) =>
    one({ shape: first(call).shape, dtype: 'bool' }),
  ),
  ...named(['Sum', 'Max', 'Min', 'Prod', 'Any', 'All'], (call) => reduced(call)),
  Mean: (call) => reduced(call, 'float32'),
  ArgMax: (call) => reduced(call, 'int32'),
  ArgMin: (call) => reduced(call, 'int32'),

  Identity: ({ inputs: { x } }) => one(same(x)),
  Cast: ({ inputs: { x }, attrs: { dtype } }) => one({ shape: x.shape, dtype }),
  Reshape: ({ inputs: { x }, attrs: { shape } }) =>
    one(same(x, tf.util.inferFromImplicitShape(shape, sizeOf(x.shape)))),
  ExpandDims: ({ inputs: { input }, attrs: { dim } }) => one(same(input, expanded(input.shape, dim))),
  Transpose: ({ inputs: { x }, attrs: { perm } }) =>
    one({ shape: perm.map((axis: number) => x.shape[axis]), dtype: x.dtype }),
  Slice: ({ inputs: { x }, attrs: { begin, size } }) => {
    const [, shape] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size);
    return one({ shape, dtype: x.dtype });
  },
  StridedSlice: ({ inputs: { x }, attrs }) => {
    const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = attrs;
    const masks = [beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask] as const;
    const { finalShape } = tf.slice_util.sliceInfo(x.shape, begin, end, strides, ...masks);
    return one({ shape: finalShape, dtype: x.dtype });
  },
  Concat: ({ inputs, attrs: { axis } }) => {
    const tensors = Object.values(inputs);
    const shape = tensors[0].shape.map((n, i) =>
      i === axis ? tensors.reduce((sum, tensor) => sum + tensor.shape[i], 0) : n,
    );
    return one({ shape, dtype: tensors[0].dtype });
  },
  Pack: ({ inputs, attrs: { axis } }) => {
    const tensors = Object.values(inputs);
    const shape = expanded(tensors[0].shape, axis);
    if (tensors.length === 1) return one(same(tensors[0], shape));
    return one({ shape: shape.map((n, i) => (i === axis ? tensors.length : n)), dtype: tensors[0].dtype });
  },
  Unpack: ({ inputs: { value }, attrs: { axis } }) => {
    const shape = value.shape.filter((_, i) => i !== axis);
    return { outputs: new Array(value.shape[axis]).fill({ shape, dtype: value.dtype }) };
  },
  SplitV: ({ inputs: { x }, attrs: { numOrSizeSplits, axis } }) => {
    const [at] = tf.util.parseAxisParam(axis, x.shape);
    const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, at);
    return {
      outputs: sizes.map(
        (size): Output => ({ shape: x.shape.map((n, i) => (i === at ? size : n)), dtype: x.dtype }),
      ),
    };
  },
  GatherV2: ({ inputs: { x, indices }, attrs: { axis, batchDims } }) => {
    const [at] = tf.util.parseAxisParam(axis, x.shape);
    const shape = [...x.shape.slice(0, at), ...indices.shape.slice(batchDims), ...x.shape.slice(at + 1)];
    return one({ shape, dtype: x.dtype });
  },
  GatherNd: ({ inputs: { params, indices } }) => {
    const depth = indices.shape[indices.shape.length - 1];
    return one({ shape: [...indices.shape.slice(0, -1), ...params.shape.slice(depth)], dtype: params.dtype });
  },
  UnsortedSegmentSum: ({ inputs: { x }, attrs: { numSegments } }) =>
    one({ shape: [numSegments, ...x.shape.slice(1)], dtype: x.dtype }),
  Tile: ({ inputs: { x }, attrs: { reps } }) =>
    one({ shape: x.shape.map((n, i) => n * reps[i]), dtype: x.dtype }),
  BroadcastTo: ({ inputs: { x }, attrs: { shape } }) => one({ shape, dtype: x.dtype }),
  PadV2: ({ inputs: { x }, attrs: { paddings } }) => {
    const shape = x.shape.map((n, i) => paddings[i][0] + n + paddings[i][1]);
    return one({ shape, dtype: x.dtype });
  },
  Fill: ({ attrs: { shape, dtype } }) => one({ shape, dtype }),
  OneHot: ({ inputs: { indices }, attrs: { depth, dtype } }) =>
    one({ shape: [...indices.shape, depth], dtype }),
  Select: ({ inputs: { t } }) => one(like(t)),
  TopK: ({ inputs: { x }, attrs: { k } }) => {
    const shape = [...x.shape.slice(0, -1), k];
    return {
      outputs: [
        { shape, dtype: x.dtype },
        { shape, dtype: 'int32' },
      ],
    };
  },

  BatchMatMul: ({ inputs: { a, b }, attrs: { transposeA, transposeB } }) =>
    product(a, b, transposeA, transposeB),
  _FusedMatMul: ({ inputs: { a, b }, attrs: { transposeA, transposeB } }) =>
    product(a, b, transposeA, transposeB),
  Conv2D: ({ inputs: { x, filter }, attrs }) => convolution(x, filter, attrs),
  FusedConv2D: ({ inputs: { x, filter }, attrs }) => convolution(x, filter, attrs),
  DepthwiseConv2dNative: ({ inputs: { x, filter }, attrs }) => convolution(x, filter, attrs, true),
  Conv2DBackpropInput: ({ inputs: { dy, filter }, attrs: { inputShape } }) =>
    one({ shape: inputShape }, convolutionFlops(dy.shape, filter.shape)),
  Conv2DBackpropFilter: ({ inputs: { dy }, attrs: { filterShape } }) =>
    one({ shape: filterShape }, convolutionFlops(dy.shape, filterShape)),
};

function named(names: readonly string[], kernel: ShapeKernel): Record<string, ShapeKernel> {
  return Object.fromEntries(names.map((name) => [name, kernel]));
}

const first = ({ inputs }: KernelCall): tf.TensorInfo => Object.values(inputs)[0];

/** Element by element, of two tensors. */
function broadcast(dtype?: tf.DataType): ShapeKernel {
  return ({ inputs: { a, b } }) => {
    const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
    return one({ shape, dtype: dtype ?? tf.upcastType(a.dtype, b.dtype) });
  };
}

function reduced(call: KernelCall, dtype?: tf.DataType): KernelResult {
  const x = first(call);
  // tfjs calls the axes of a maximum otherwise.
  const { axis, reductionIndices, keepDims } = call.attrs;
  const axes = tf.util.parseAxisParam(axis ?? reductionIndices, x.shape);
  const shape = keepDims
    ? x.shape.map((n, i) => (axes.includes(i) ? 1 : n))
    : x.shape.filter((_, i) => !axes.includes(i));
  return one({ shape, dtype: dtype ?? x.dtype });
}

const expanded = (shape: readonly number[], dim: number): number[] => {
  const at = dim < 0 ? shape.length + 1 + dim : dim;
  return [...shape.slice(0, at), 1, ...shape.slice(at)];
};

interface ConvolutionAttrs {
  readonly strides: number | [number, number];
  readonly dilations: number | [number, number];
  readonly pad: 'valid' | 'same' | number;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

function convolution(
  x: tf.TensorInfo,
  filter: tf.TensorInfo,
  { strides, dilations, pad, dimRoundingMode }: ConvolutionAttrs,
  depthwise = false,
): KernelResult {
  const shapes = [x.shape, filter.shape] as [
    [number, number, number, number],
    [number, number, number, number],
  ];
  const { outShape } = tf.backend_util.computeConv2DInfo(
    ...shapes,
    strides,
    dilations,
    pad,
    dimRoundingMode,
    depthwise,
  );
  const [height, width, channels] = filter.shape;
  const flops = depthwise
    ? productFlops(sizeOf(outShape), height, width)
    : convolutionFlops(outShape, [height, width, channels]);
  return one({ shape: outShape }, flops);
}

/** Each output is a sum over the window and the channels that it is made from. */
const convolutionFlops = (out: readonly number[], [height, width, channels]: readonly number[]): number =>
  productFlops(sizeOf(out), 1, height * width * channels);
