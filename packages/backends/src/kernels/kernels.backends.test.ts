import { assertTensorsClose, expectNoLeak, type HostTensor } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { startBackend } from '../start';

/** One tensor from `compute`, compared whole; nothing is left behind. */
async function expectResult(compute: () => tf.Tensor, expected: HostTensor, tolerance = 0): Promise<void> {
  await expectNoLeak(async () => {
    const result = tf.tidy(compute);
    await assertTensorsClose(result, expected, { tolerance, name: 'result' });
    result.dispose();
  });
}

const int32 = (shape: number[], data: number[]): HostTensor => ({ shape, data, dtype: 'int32' });
const counting = (shape: number[]): tf.Tensor => tf.reshape(tf.range(0, tf.util.sizeFromShape(shape)), shape);

/** Row-major values of a function of the index. */
function tabulate(shape: number[], at: (index: number[]) => number): number[] {
  const strides = [...tf.util.computeStrides(shape), 1];
  return Array.from({ length: tf.util.sizeFromShape(shape) }, (_, flat) =>
    at(shape.map((size, axis) => Math.floor(flat / strides[axis]!) % size)),
  );
}

describeBackends('UnsortedSegmentSum', (backend) => {
  it('adds up rows by id, leaves unused segments at zero, and drops negative ids', async () => {
    await expectResult(
      () => tf.unsortedSegmentSum(counting([5, 2]), tf.tensor1d([3, 0, 3, -1, 0], 'int32'), 4),
      { shape: [4, 2], data: [10, 12, 0, 0, 0, 0, 4, 6] },
    );
  });

  it('adds up rows of several axes', async () => {
    await expectResult(
      () =>
        tf.unsortedSegmentSum(
          tf.tensor([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]),
          tf.tensor1d([1, 1], 'int32'),
          2,
        ),
      { shape: [2, 2, 2], data: [0, 0, 0, 0, 6, 8, 10, 12] },
    );
  });

  if (backend === 'wasm') {
    it('survives growing memory', async () => {
      // Large enough that the heap has to grow for the result, which detaches every view onto the old one.
      await expectResult(
        () =>
          tf.sum(tf.unsortedSegmentSum(tf.ones([2, 3]), tf.tensor1d([0, 9_999_999], 'int32'), 10_000_000)),
        { shape: [], data: [6] },
      );
    });
  }
});

describeBackends('GatherV2 with batch axes', () => {
  const gathered = (shape: number[], indices: number[], batch: number[], axis: number) => {
    const picks = indices.length / tf.util.sizeFromShape(batch);
    const x = tf.util.computeStrides(shape).concat(1);
    const out = [...shape.slice(0, axis), picks, ...shape.slice(axis + 1)];
    const data = tabulate(out, (index) => {
      const row = index.slice(0, batch.length).reduce((flat, i, j) => flat * batch[j]! + i, 0);
      const from = [...index];
      from[axis] = indices[row * picks + index[axis]!]!;
      return from.reduce((flat, i, j) => flat + i * x[j]!, 0);
    });
    return { shape: out, data };
  };

  it.each([
    { shape: [2, 4, 3], indices: [0, 3, 1, 2, 2, 0], batch: [2], axis: 1 },
    { shape: [2, 3, 4], indices: [0, 3, 1, 2], batch: [2], axis: 2 },
    { shape: [2, 2, 4, 3], indices: [0, 3, 1, 2, 2, 0, 1, 1], batch: [2, 2], axis: 2 },
    { shape: [3, 4], indices: [3, 0, 1], batch: [3], axis: 1 },
  ])('picks from $shape along $axis', async ({ shape, indices, batch, axis }) => {
    await expectResult(
      () =>
        tf.gather(
          counting(shape),
          tf.tensor(indices, [...batch, indices.length / tf.util.sizeFromShape(batch)], 'int32'),
          axis,
          batch.length,
        ),
      gathered(shape, indices, batch, axis),
    );
  });
});

describeBackends('BatchMatMul', () => {
  const batches: [number[], number[]][] = [
    [
      [2, 1],
      [1, 2],
    ],
    [
      [2, 3],
      [2, 1],
    ],
    [[2, 3], [3]],
    [[1], [2, 3]],
  ];
  it.each(batches)('pairs batches of [%s] and [%s]', async (batchA: number[], batchB: number[]) => {
    const rank = Math.max(batchA.length, batchB.length);
    const pad = (batch: number[]) => [...Array(rank - batch.length).fill(1), ...batch] as number[];
    const [a, b] = [pad(batchA), pad(batchB)];
    const out = a.map((size, i): number => Math.max(size, b[i]!));
    const at = (batch: number[], index: number[], row: number, column: number) =>
      batch.reduce((flat, size, i) => flat * size + (size === 1 ? 0 : index[i]!), 0) * 4 + row * 2 + column;
    const shape = [...out, 2, 2];
    const data = tabulate(shape, (index) => {
      const [row, column] = [index[rank]!, index[rank + 1]!];
      return [0, 1].reduce((sum, k) => sum + at(a, index, row, k) * at(b, index, k, column), 0);
    });
    await expectResult(() => tf.matMul(counting([...batchA, 2, 2]), counting([...batchB, 2, 2])), {
      shape,
      data,
    });
  });
});

describeBackends('_FusedMatMul', () => {
  const bias = [3, 5, 7];
  it.each([
    { a: [2, 2, 2], b: [2, 2, 3], transposeB: false },
    { a: [2, 2], b: [3, 2], transposeB: true },
    { a: [2, 2], b: [2, 3], transposeB: false },
  ])('adds the bias to every row: $a, $b', async ({ a, b, transposeB }) => {
    const shape = [...a.slice(0, -1), 3];
    await expectResult(
      () =>
        tf.fused.matMul({
          a: tf.ones(a as [number, number]),
          b: tf.neg(tf.ones(b as [number, number])),
          transposeB,
          bias: tf.tensor1d(bias),
          activation: 'relu6',
        }),
      { shape, data: tabulate(shape, (index) => Math.min(6, bias[index.at(-1)!]! - 2)) },
    );
  });
});

describeBackends('Cast', () => {
  it('makes true of everything but zero', async () => {
    await expectResult(() => tf.cast(tf.tensor1d([0, -0, 0.5, -1, 256, 1]), 'bool'), {
      shape: [6],
      data: Uint8Array.of(0, 0, 1, 1, 1, 1),
    });
    await expectResult(() => tf.cast(tf.tensor1d([0, 2, -1, 256], 'int32'), 'bool'), {
      shape: [4],
      data: Uint8Array.of(0, 1, 1, 1),
    });
  });

  it('makes floats that can be moved about', async () => {
    // Computed, so that the integers lie on the device.
    const integers = () =>
      tf.add(tf.reshape(tf.range(0, 1200, 1, 'int32'), [2, 3, 200]), tf.scalar(1, 'int32'));
    const shape = [200, 2, 3];
    const data = tabulate(shape, ([i, j, k]) => j! * 600 + k! * 200 + i! + 1);
    await expectResult(() => tf.transpose(tf.cast(integers(), 'float32'), [2, 0, 1]), { shape, data });
    await expectResult(() => tf.transpose(tf.cast(tf.greater(integers(), 600), 'float32'), [2, 0, 1]), {
      shape,
      data: data.map((value) => (value > 600 ? 1 : 0)),
    });
  });
});

describeBackends('ClipByValue', () => {
  it('clips integers', async () => {
    await expectResult(() => tf.clipByValue(tf.tensor1d([-5, 2, 9], 'int32'), -1, 4), int32([3], [-1, 2, 4]));
  });
});

describeBackends('Cumsum and Cumprod', () => {
  const values = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const running = (
    row: number[],
    start: number,
    step: (sum: number, value: number) => number,
    exclusive: boolean,
    reverse: boolean,
  ) => {
    let total = start;
    const out = (reverse ? row.toReversed() : row).map((value) => {
      const before = total;
      total = step(total, value);
      return exclusive ? before : total;
    });
    return reverse ? out.toReversed() : out;
  };
  it.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('count along the last axis, given as -1 (exclusive %s, reverse %s)', async (exclusive, reverse) => {
    const sums = values.flatMap((row) => running(row, 0, (a, b) => a + b, exclusive, reverse));
    const products = values.flatMap((row) => running(row, 1, (a, b) => a * b, exclusive, reverse));
    await expectResult(() => tf.cumsum(tf.tensor2d(values), -1, exclusive, reverse), {
      shape: [2, 3],
      data: sums,
    });
    await expectResult(
      () => tf.cumprod(tf.tensor2d(values), -1, exclusive, reverse),
      { shape: [2, 3], data: products },
      1e-6,
    );
  });

  it('count along the first axis', async () => {
    await expectResult(() => tf.cumsum(tf.tensor2d(values), -2, true, true), {
      shape: [2, 3],
      data: [4, 5, 6, 0, 0, 0],
    });
  });
});

describeBackends('Tile', () => {
  it.each([
    { shape: [2, 3, 2], reps: [2, 1, 3] },
    { shape: [3, 1], reps: [1, 4] },
    { shape: [1, 3], reps: [4, 1] },
    { shape: [2], reps: [1] },
    { shape: [2, 1, 1, 2], reps: [1, 3, 2, 1] },
  ])('repeats $shape by $reps', async ({ shape, reps }) => {
    const strides = [...tf.util.computeStrides(shape), 1];
    const tiled = shape.map((size, axis) => size * reps[axis]!);
    const data = tabulate(tiled, (index) =>
      index.reduce((flat, i, axis) => flat + (i % shape[axis]!) * strides[axis]!, 0),
    );
    await expectResult(() => tf.tile(counting(shape), reps), { shape: tiled, data });
  });

  it('keeps integers', async () => {
    await expectResult(() => tf.tile(tf.tensor1d([1, 2], 'int32'), [2]), int32([4], [1, 2, 1, 2]));
  });
});

describeBackends('PadV2', () => {
  it('pads five axes', async () => {
    const shape = [2, 3, 2, 4, 2];
    const inner = [2, 2, 2, 1, 2];
    const begin = [0, 1, 0, 1, 0];
    const strides = [...tf.util.computeStrides(inner), 1];
    const data = tabulate(shape, (index) => {
      const from = index.map((i, axis) => i - begin[axis]!);
      const isInside = from.every((i, axis) => i >= 0 && i < inner[axis]!);
      return isInside ? from.reduce((flat, i, axis) => flat + i * strides[axis]!, 0) : 7;
    });
    await expectResult(
      () =>
        tf.pad(
          counting(inner),
          shape.map((size, axis) => [begin[axis]!, size - inner[axis]! - begin[axis]!]),
          7,
        ),
      { shape, data },
    );
  });
});

describeBackends('ArgMax and ArgMin', () => {
  it('of one axis are scalars', async () => {
    await expectResult(() => tf.argMax(tf.tensor1d([1, 5, 2])), int32([], [1]));
    await expectResult(() => tf.argMin(tf.tensor1d([1, 5, 0])), int32([], [2]));
  });
});

describeBackends('Conv2DBackpropFilter', () => {
  it('adds up what lies under each position of the filter', async () => {
    const gradient = () =>
      tf.grad((filter: tf.Tensor) =>
        tf.conv2d(counting([1, 3, 3, 1]) as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same'),
      )(tf.ones([3, 3, 1, 1]));
    await expectResult(gradient, { shape: [3, 3, 1, 1], data: [8, 15, 12, 21, 36, 27, 20, 33, 24] });
  });
});

describeBackends('DepthwiseConv2dNativeBackprop', () => {
  it('reaches input and filter', async () => {
    const gradients = () =>
      tf.grads((x: tf.Tensor, filter: tf.Tensor) =>
        tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, 'valid'),
      )([counting([1, 2, 3, 1]), tf.tensor4d([1, 2, 3, 4], [2, 2, 1, 1])]);
    await expectResult(() => gradients()[0]!, { shape: [1, 2, 3, 1], data: [1, 3, 2, 3, 7, 4] });
    await expectResult(() => gradients()[1]!, { shape: [2, 2, 1, 1], data: [1, 3, 7, 9] });
  });
});

describeBackends('kernels of our own', (backend) => {
  it('are wrapped once, however often the backend is started', async () => {
    const before = tf.getKernel(tf.Cumsum, backend).kernelFunc;
    await startBackend({ backend, probeKernels: false });
    expect(tf.getKernel(tf.Cumsum, backend).kernelFunc).toBe(before);
  });
});

describeBackends('Identity', () => {
  it('holds the same data once more, which lives as long as either', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([0, 1, 2, 3, 4]);
      const { numDataBuffers } = tf.memory();
      const copy = tf.clone(x);
      expect(copy.dataId).toBe(x.dataId);
      expect(tf.memory().numDataBuffers).toBe(numDataBuffers);
      x.dispose();
      await assertTensorsClose(copy, { shape: [5], data: [0, 1, 2, 3, 4] }, { tolerance: 0 });
      copy.dispose();
      expect(tf.memory().numDataBuffers).toBe(numDataBuffers - 1);
    });
  });

  it('takes strings', () => {
    const words = tf.tensor1d(['a', 'b']);
    const copy = tf.clone(words);
    words.dispose();
    expect(copy.shape).toEqual([2]);
    copy.dispose();
  });
});
