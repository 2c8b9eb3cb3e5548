import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import '../../../../../tools/testing/backends';
import { startBackend } from '../../index';
import {
  expectSameAsCpu as compareOn,
  type Host,
  type Op,
  outputsOn,
} from '../../wasm-kernels/testing/against-cpu';
import { KERNELS } from '../register';

export {
  type Host,
  type Op,
  randomHost,
  withGradients,
  withValue,
} from '../../wasm-kernels/testing/against-cpu';

/** A suite with cpu, where the references run, and webgpu with our kernels; left out where there is no webgpu. */
export function describeOnWebgpu(name: string, suite: () => void): void {
  describe.skipIf(!inject('backends').includes('webgpu'))(`${name} on webgpu`, () => {
    beforeAll(async () => {
      await startBackend({ backend: 'cpu' });
      await startBackend({ backend: 'webgpu', probeKernels: false });
    });

    // Elsewhere a comparison could be one of two references.
    it('runs on kernels of ours, before', expectOurKernels);
    suite();
    it('runs on kernels of ours, after', expectOurKernels);
  });
}

const expectOurKernels = () => {
  for (const { kernelName, kernelFunc } of KERNELS) {
    expect(tf.getKernel(kernelName, 'webgpu')?.kernelFunc, kernelName).toBe(kernelFunc);
  }
};

export const onWebgpu = (op: Op, inputs: readonly Host[]): Promise<Host[]> => outputsOn('webgpu', op, inputs);

/** Compares an op with the reference on cpu, whole tensors each. */
export const expectSameAsCpu = (op: Op, inputs: readonly Host[], tolerance: number): Promise<void> =>
  compareOn(op, inputs, tolerance, 'webgpu');
