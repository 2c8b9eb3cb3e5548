import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { type Host, randomHost, read, upload } from '../../../../nn/src/ops/testing/float64';
import { startBackend } from '../../index';
import { registerWasmKernels } from '../register';

export { type Host, randomHost, read, upload };

export type Op = (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];

/** Starts cpu, where the references of the op layer run, and wasm with our kernels. */
export async function startBoth(): Promise<void> {
  await startBackend({ backend: 'cpu' });
  await startBackend({ backend: 'wasm' });
  registerWasmKernels(tf.backend() as BackendWasm);
}

/** The outputs of an op on a backend; no tensor may stay behind. */
export async function outputsOn(
  backend: 'cpu' | 'wasm' | 'webgpu',
  op: Op,
  inputs: readonly Host[],
): Promise<Host[]> {
  await tf.setBackend(backend);
  let hosts: Host[] = [];
  await expectNoLeak(async () => {
    const tensors = inputs.map(upload);
    const outputs = [tf.tidy(() => op(...tensors))].flat();
    hosts = await Promise.all(outputs.map(read));
    tf.dispose([tensors, outputs]);
  });
  return hosts;
}

/** An op and the gradients of all its inputs, for a random gradient of its result. */
export const withGradients =
  (op: (...inputs: tf.Tensor[]) => tf.Tensor): Op =>
  (...inputs) => {
    const out = op(...inputs);
    return [out, ...tf.grads(op)(inputs, upload(randomHost(out.shape, 99)))];
  };

/** Compares an op on a backend with the reference on cpu, whole tensors each. */
export async function expectSameAsCpu(
  op: Op,
  inputs: readonly Host[],
  tolerance: number,
  backend: 'wasm' | 'webgpu' = 'wasm',
): Promise<void> {
  const expected = await outputsOn('cpu', op, inputs);
  const actual = await outputsOn(backend, op, inputs);
  if (actual.length !== expected.length) {
    throw new Error(`expected ${expected.length} outputs, got ${actual.length}`);
  }
  for (const [i, output] of actual.entries()) {
    await assertTensorsClose(output, expected[i]!, { tolerance, name: `output ${i}` });
  }
}

/** A copy with one value replaced. */
export const withValue = ({ shape, data }: Host, at: number, value: number): Host => ({
  shape,
  data: data.with(at, value),
});
