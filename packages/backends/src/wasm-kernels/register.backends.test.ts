import { assertTensorsClose } from '@mmllm/conformance';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { attention, matmul } from '../../../nn/src/ops';
import { registerWasmKernels } from './register';
import { heapOf } from './side-module';
import { type Host, outputsOn, randomHost, startBoth, upload } from './testing/against-cpu';

beforeAll(startBoth);

const wasm = () => tf.backend() as BackendWasm;
const kernelOf = (name: string): tf.KernelFunc | undefined => tf.getKernel(name, 'wasm')?.kernelFunc;

it('says what it registered, and changes nothing when called again', async () => {
  await tf.setBackend('wasm');
  const registered = registerWasmKernels(wasm());
  expect(registered.map(({ kernelName }) => kernelName)).toEqual([
    'mmllm/MatMul',
    'mmllm/Linear',
    'mmllm/Linears',
    'mmllm/HoldWeight',
    'mmllm/HoldRows',
    'mmllm/HeldLinear',
    'mmllm/HeldLinearGrad',
    'mmllm/HeldRows',
    'mmllm/GroupedMatMul',
    'mmllm/GroupedMatMulGrad',
    'mmllm/Attention',
    'mmllm/AttentionGrad',
    'mmllm/PackedAttention',
    'mmllm/QuantizeRows',
    'mmllm/CacheAppend',
    'mmllm/CacheRows',
    'mmllm/Activate',
    'mmllm/ActivateGrad',
    'mmllm/Gated',
    'mmllm/GatedGrad',
    'mmllm/LayerNorm',
    'mmllm/LayerNormGrad',
    'mmllm/LayerNormGainGrad',
    'mmllm/RmsNorm',
    'mmllm/RmsNormGrad',
    'mmllm/RmsNormGainGrad',
    'mmllm/Rope',
    'mmllm/Embedding',
    'mmllm/EmbeddingGrad',
    'mmllm/SelectRows',
    'mmllm/ColumnSums',
    'mmllm/LogSumExp',
    'mmllm/LogSumExpGrad',
    'mmllm/CrossEntropy',
    'mmllm/CrossEntropyGrad',
    'mmllm/SoftCrossEntropy',
    'mmllm/SoftCrossEntropyGrad',
    'mmllm/SigmoidPairLoss',
    'mmllm/SigmoidPairLossGrad',
    'mmllm/AdamW',
    'mmllm/SumOfSquares',
    'mmllm/WriteWeight',
  ]);
  for (const { reason } of registered) expect(reason).toMatch(/\((relaxed|plain) SIMD\)$/);
  const before = registered.map(({ kernelName }) => kernelOf(kernelName));
  registerWasmKernels(wasm());
  expect(registered.map(({ kernelName }) => kernelOf(kernelName))).toEqual(before);
});

it('runs in memory that is shared, in Node and in an isolated page', async () => {
  await tf.setBackend('wasm');
  const mayShare = !('crossOriginIsolated' in globalThis) || globalThis.crossOriginIsolated;
  expect(heapOf(wasm()).memory.buffer instanceof SharedArrayBuffer).toBe(mayShare);
});

it('takes the place of a reference, which comes back where it is forced off', async () => {
  await tf.setBackend('wasm');
  const ours = kernelOf('mmllm/MatMul');
  const [a, b] = [randomHost([9, 5], 1), randomHost([5, 3], 2)];
  const [fast] = await outputsOn('wasm', product, [a, b]);
  tf.unregisterKernel('mmllm/MatMul', 'wasm');
  const [slow] = await outputsOn('wasm', product, [a, b]);
  expect(kernelOf('mmllm/MatMul')).not.toBe(ours);
  await assertTensorsClose(fast!, slow!, { tolerance: 1e-6 });
  registerWasmKernels(wasm());
  expect(kernelOf('mmllm/MatMul')).toBe(ours);
});

it('works on after the memory grew, and needs no more of it with every call', async () => {
  await tf.setBackend('wasm');
  const { memory } = heapOf(wasm());
  const [a, b] = [randomHost([300, 40], 1), randomHost([40, 300], 2)];
  const before = await runAll(a, b);
  const size = memory.buffer.byteLength;
  const large = tf.zeros([size / 4]);
  expect(memory.buffer.byteLength).toBeGreaterThan(size);
  expect(await runAll(a, b)).toEqual(before);
  large.dispose();
  const grown = memory.buffer.byteLength;
  for (let i = 0; i < 50; i++) await runAll(a, b);
  expect(memory.buffer.byteLength).toBe(grown);
});

it('refuses what is not float32', async () => {
  await tf.setBackend('wasm');
  const [a, b] = [tf.ones([2, 2], 'int32'), upload(randomHost([2, 2], 1))];
  expect(() => matmul(a, b)).toThrow('mmllm/MatMul on wasm: expected a of float32, got int32');
  tf.dispose([a, b]);
});

it('says so where the memory is full, and leaves nothing behind', async () => {
  await tf.setBackend('wasm');
  const x = upload(randomHost([9, 5], 1));
  // The scratch memory is there already.
  product(x, tf.transpose(x)).dispose();
  const module = wasm().wasm as typeof BackendWasm.prototype.wasm & { _malloc(bytes: number): number };
  const malloc = module._malloc;
  const y = tf.transpose(x);
  const before = wasm().numDataIds();
  module._malloc = () => 0;
  try {
    expect(() => product(x, y)).toThrow(
      'mmllm/MatMul on wasm: expected memory for a tensor of [9, 9], got the memory is full',
    );
  } finally {
    module._malloc = malloc;
  }
  expect(wasm().numDataIds()).toBe(before);
  tf.dispose([x, y]);
});

const product = (...[a, b]: tf.Tensor[]) => matmul(a!, b!);

async function runAll(a: Host, b: Host): Promise<Host[]> {
  return outputsOn(
    'wasm',
    (left, right) => {
      const rows = tf.reshape<tf.Rank.R3>(matmul(left!, right!), [10, 30, 300]);
      return [rows, attention(rows, rows, rows, { causal: true }, { numHeads: 30 })];
    },
    [a, b],
  );
}
