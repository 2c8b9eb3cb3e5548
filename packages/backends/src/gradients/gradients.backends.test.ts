import { checkGradients, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { GRADIENTS } from './index';

interface Case {
  name: string;
  f: (...inputs: tf.Tensor[]) => tf.Tensor;
  /** Made when a backend runs. */
  inputs: () => tf.Tensor[];
}

/** Distinct values in (low, high), in no order, none nearer to a multiple of the spacing than half of it. */
function spaced(shape: number[], low = -1.5, high = 1.5, seed = 0): tf.Tensor {
  const size = tf.util.sizeFromShape(shape);
  const stride = [7, 11, 13, 17].find((candidate) => size % candidate !== 0)!;
  const at = (i: number) => (((i + seed) * stride) % size) + 0.5;
  return tf.tensor(
    Array.from({ length: size }, (_, i) => low + ((high - low) * at(i)) / size),
    shape,
  );
}

/** `first`, `first + 0.5`, …: two of them with different beginnings never meet. */
const halves = (shape: number[], first: number): tf.Tensor =>
  tf.tensor(
    Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => first + i / 2),
    shape,
  );

const int = (values: number[], shape: number[] = [values.length]) => tf.tensor(values, shape, 'int32');
const bool = (values: number[], shape: number[]) => tf.tensor(values, shape, 'bool');

const positive = () => spaced([2, 3], 0.3, 2);
const unit = () => spaced([2, 3], -0.8, 0.8);
const any = () => spaced([2, 4]);

const unary: [string, (x: tf.Tensor) => tf.Tensor, () => tf.Tensor][] = [
  ['abs', tf.abs, any],
  ['acos', tf.acos, unit],
  ['acosh', tf.acosh, () => spaced([2, 3], 1.3, 3)],
  ['asin', tf.asin, unit],
  ['asinh', tf.asinh, any],
  ['atan', tf.atan, any],
  ['atanh', tf.atanh, unit],
  ['cast', (x) => tf.cast(x, 'float32'), any],
  ['ceil', tf.ceil, unit],
  ['clipByValue', (x) => tf.clipByValue(x, -0.5, 1), () => spaced([2, 4], -2, 2)],
  ['cos', tf.cos, any],
  ['cosh', tf.cosh, any],
  ['elu', tf.elu, any],
  ['erf', tf.erf, any],
  ['exp', tf.exp, any],
  ['expm1', tf.expm1, any],
  ['floor', tf.floor, unit],
  ['leakyRelu', (x) => tf.leakyRelu(x, 0.3), any],
  ['log', tf.log, positive],
  ['log1p', tf.log1p, positive],
  ['neg', tf.neg, any],
  ['onesLike', tf.onesLike, any],
  ['reciprocal', tf.reciprocal, positive],
  ['relu', tf.relu, any],
  ['relu6', tf.relu6, () => spaced([2, 4], -4, 8)],
  ['round', tf.round, () => spaced([2, 2], -0.4, 0.4)],
  ['rsqrt', tf.rsqrt, positive],
  ['selu', tf.selu, any],
  ['sigmoid', tf.sigmoid, any],
  ['sign', tf.sign, any],
  ['sin', tf.sin, any],
  ['sinh', tf.sinh, any],
  ['softplus', tf.softplus, any],
  ['sqrt', tf.sqrt, positive],
  ['square', tf.square, any],
  ['step', (x) => tf.step(x), any],
  ['tan', tf.tan, unit],
  ['tanh', tf.tanh, any],
  ['zerosLike', tf.zerosLike, any],
];

const binary: [string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor][] = [
  ['add', tf.add],
  ['sub', tf.sub],
  ['mul', tf.mul],
  ['div', tf.div],
  ['maximum', tf.maximum],
  ['minimum', tf.minimum],
  ['squaredDifference', tf.squaredDifference],
  ['mod', tf.mod],
  ['atan2', tf.atan2],
  ['pow', tf.pow],
];
const broadcasts: [number[], number[]][] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [
    [1, 3],
    [2, 1],
  ],
  [[], [2, 3]],
];

const rest: Case[] = [
  { name: 'addN', f: (...x) => tf.addN(x), inputs: () => [any(), any(), any()] },
  {
    name: 'prelu',
    f: (x, alpha) => tf.prelu(x!, alpha!),
    inputs: () => [spaced([2, 3]), spaced([3], 0.1, 0.5)],
  },
  { name: 'pow of a negative number', f: (x) => tf.pow(x!, 3), inputs: () => [spaced([4], -2, -0.5)] },
  ...[undefined, 0, [1], [-1, 0]].flatMap((axis): Case[] => {
    const inputs = () => [spaced([3, 2, 4])];
    return [
      { name: `sum over ${axis}`, f: (x) => tf.sum(x!, axis), inputs },
      { name: `sum over ${axis}, axes kept`, f: (x) => tf.sum(x!, axis, true), inputs },
      { name: `mean over ${axis}`, f: (x) => tf.mean(x!, axis), inputs },
      { name: `max over ${axis}`, f: (x) => tf.max(x!, axis), inputs },
      { name: `min over ${axis}, axes kept`, f: (x) => tf.min(x!, axis, true), inputs },
      { name: `prod over ${axis}`, f: (x) => tf.prod(x!, axis), inputs: () => [spaced([2, 2, 2], 0.5, 1.5)] },
      { name: `logSumExp over ${axis}`, f: (x) => tf.logSumExp(x!, axis), inputs },
    ];
  }),
  {
    name: 'prod with zeros',
    f: (x) => tf.prod(x!, 1),
    inputs: () => [tf.tensor2d([0, 2, 3, 0, 0, 4], [2, 3])],
  },
  ...[0, 1, -1].flatMap((axis) =>
    [false, true].flatMap((exclusive) =>
      [false, true].map(
        (reverse): Case => ({
          name: `cumsum along ${axis}${exclusive ? ', exclusive' : ''}${reverse ? ', reverse' : ''}`,
          f: (x) => tf.cumsum(x!, axis, exclusive, reverse),
          inputs: () => [spaced([3, 3])],
        }),
      ),
    ),
  ),
  { name: 'softmax', f: (x) => tf.softmax(x!), inputs: () => [spaced([2, 3, 4])] },
  { name: 'logSoftmax', f: (x) => tf.logSoftmax(x!), inputs: () => [spaced([3, 4])] },
  { name: 'clone', f: (x) => tf.clone(x!), inputs: () => [any()] },
  {
    name: 'oneHot',
    f: (x) => tf.mul(tf.cast(tf.oneHot(tf.cast(x!, 'int32'), 2), 'float32'), 2),
    inputs: () => [tf.tensor1d([0.3, 1.6, 0.4])],
  },
  { name: 'reshape', f: (x) => tf.reshape(x!, [4, 2]), inputs: () => [any()] },
  { name: 'expandDims', f: (x) => tf.expandDims(x!, 1), inputs: () => [any()] },
  { name: 'transpose', f: (x) => tf.transpose(x!, [2, 0, 1]), inputs: () => [spaced([2, 3, 4])] },
  { name: 'transpose of two axes', f: (x) => tf.transpose(x!), inputs: () => [any()] },
  { name: 'reverse', f: (x) => tf.reverse(x!, -1), inputs: () => [any()] },
  { name: 'concat', f: (a, b) => tf.concat([a!, b!], -1), inputs: () => [spaced([2, 3]), spaced([2, 1])] },
  { name: 'stack', f: (a, b) => tf.stack([a!, b!], 1), inputs: () => [spaced([2, 3]), spaced([2, 3])] },
  {
    name: 'split',
    f: (x) => {
      const [first, , last] = tf.split(x!, [1, 2, 1], 1);
      return tf.mul(first!, last!);
    },
    inputs: () => [any()],
  },
  {
    name: 'unstack',
    f: (x) => {
      const [first, , last] = tf.unstack(x!, 1);
      return tf.mul(first!, last!);
    },
    inputs: () => [any()],
  },
  { name: 'unstack of one', f: (x) => tf.unstack(x!, 1)[0]!, inputs: () => [spaced([3, 1])] },
  { name: 'split into one', f: (x) => tf.split(x!, [3], 1)[0]!, inputs: () => [spaced([2, 3])] },
  { name: 'slice', f: (x) => tf.slice(x!, [1, 0], [1, -1]), inputs: () => [spaced([3, 4])] },
  {
    name: 'slice of five axes',
    f: (x) => tf.slice(x!, [0, 1, 0, 1, 0]),
    inputs: () => [spaced([2, 2, 1, 2, 2])],
  },
  {
    name: 'pad',
    f: (x) =>
      tf.pad(
        x!,
        [
          [1, 0],
          [0, 2],
        ],
        3,
      ),
    inputs: () => [any()],
  },
  { name: 'tile', f: (x) => tf.tile(x!, [2, 1, 3]), inputs: () => [spaced([2, 3, 2])] },
  { name: 'broadcastTo', f: (x) => tf.broadcastTo(x!, [4, 3, 2]), inputs: () => [spaced([3, 1])] },
  {
    name: 'where',
    f: (a, b) => tf.where(bool([1, 0, 1, 0, 0, 1], [2, 3]), a!, b!),
    inputs: () => [spaced([2, 3]), spaced([2, 3])],
  },
  {
    name: 'gather',
    f: (x, i) => tf.gather(x!, i!),
    inputs: () => [spaced([4, 3]), int([3, 0, 3, 1], [2, 2])],
  },
  {
    name: 'gather along 1',
    f: (x, i) => tf.gather(x!, i!, 1),
    inputs: () => [spaced([2, 4, 3]), int([3, 0, 3])],
  },
  {
    name: 'gather by batch',
    f: (x, i) => tf.gather(x!, i!, 2, 1),
    inputs: () => [spaced([2, 3, 4, 2]), int([3, 0, 0, 2, 2, 1], [2, 3])],
  },
  {
    name: 'unsortedSegmentSum',
    f: (x, i) => tf.unsortedSegmentSum(x!, i as tf.Tensor1D, 3),
    inputs: () => [spaced([4, 2]), int([2, 0, 2, -1])],
  },
  ...[false, true].flatMap((transposeA) =>
    [false, true].flatMap((transposeB): Case[] => {
      const shapes = (batchA: number[], batchB: number[]) => () => [
        spaced([...batchA, ...(transposeA ? [4, 3] : [3, 4])]),
        spaced([...batchB, ...(transposeB ? [2, 4] : [4, 2])]),
      ];
      const f = (a?: tf.Tensor, b?: tf.Tensor) => tf.matMul(a!, b!, transposeA, transposeB);
      const name = `matMul of a${transposeA ? 'ᵀ' : ''} and b${transposeB ? 'ᵀ' : ''}`;
      return [
        { name, f, inputs: shapes([], []) },
        { name: `${name}, batches`, f, inputs: shapes([2], [2]) },
        { name: `${name}, batches broadcast`, f, inputs: shapes([2, 1], [1, 2]) },
      ];
    }),
  ),
  {
    name: 'fused matMul',
    f: (a, b, bias) => tf.fused.matMul({ a: a!, b: b!, bias, transposeB: true, activation: 'elu' }),
    inputs: () => [spaced([3, 4]), spaced([2, 4]), spaced([2], 0.1, 0.2)],
  },
  ...([1, 2, [1, 2]] as const).flatMap((strides) =>
    (['same', 'valid'] as const).map(
      (pad): Case => ({
        name: `conv2d, strides ${strides}, pad ${pad}`,
        f: (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides as number | [number, number], pad),
        inputs: () => [spaced([2, 4, 5, 2]), spaced([3, 2, 2, 3])],
      }),
    ),
  ),
  {
    name: 'conv2d, pad 1',
    f: (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, 1),
    inputs: () => [spaced([1, 5, 5, 2]), spaced([3, 3, 2, 3])],
  },
  ...(['same', 'valid'] as const).map(
    (pad): Case => ({
      name: `depthwiseConv2d, pad ${pad}`,
      f: (x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, pad),
      inputs: () => [spaced([2, 6, 6, 2]), spaced([3, 2, 2, 2])],
    }),
  ),
  {
    name: 'conv2dTranspose',
    f: (x, w) => tf.conv2dTranspose(x as tf.Tensor4D, w as tf.Tensor4D, [1, 6, 6, 2], 2, 'same'),
    inputs: () => [spaced([1, 3, 3, 3]), spaced([3, 3, 2, 3])],
  },
  {
    name: 'avgPool',
    f: (x) => tf.avgPool(x as tf.Tensor4D, 2, 2, 'valid'),
    inputs: () => [spaced([1, 4, 4, 2], -9, 9)],
  },
  {
    name: 'maxPool',
    f: (x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid'),
    inputs: () => [spaced([1, 4, 4, 2], -9, 9)],
  },
  {
    name: 'resizeNearestNeighbor',
    f: (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [6, 6]),
    inputs: () => [spaced([1, 3, 3, 2])],
  },
  {
    name: 'resizeBilinear',
    f: (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [5, 7]),
    inputs: () => [spaced([1, 3, 4, 2])],
  },
];

const cases: Case[] = [
  ...unary.map(([name, f, input]): Case => ({ name, f: (x) => f(x!), inputs: () => [input()] })),
  ...binary.flatMap(([name, f]) =>
    broadcasts.map(
      ([a, b]): Case => ({
        name: `${name} of [${a}] and [${b}]`,
        f: (x, y) => f(x!, y!),
        inputs: () => [halves(a, 0.75), halves(b, 0.97)],
      }),
    ),
  ),
  ...rest,
];

describeBackends('gradients', (backend) => {
  // On an emulated GPU each product takes milliseconds: there, one direction through all elements at once.
  const maxElements = backend === 'cpu' || backend === 'wasm' ? 64 : 0;
  const used = new Set<string>();
  beforeAll(() => {
    for (const { kernelName } of GRADIENTS) {
      const config = tf.getGradient(kernelName);
      const gradFunc: tf.GradFunc = (...args) => {
        used.add(kernelName);
        return config.gradFunc(...args);
      };
      tf.registerGradient({ ...config, gradFunc });
    }
  });

  it.each(cases)('$name', async ({ f, inputs }) => {
    await expectNoLeak(async () => {
      const tensors = inputs();
      await checkGradients(f, tensors, { maxElements });
      tf.dispose(tensors);
    });
  });

  it('are all tested', () => {
    expect(GRADIENTS.map(({ kernelName }) => kernelName).filter((name) => !used.has(name))).toEqual([]);
  });
});
