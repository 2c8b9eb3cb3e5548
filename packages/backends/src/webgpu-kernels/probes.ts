import { BackendError } from '@mmllm/core';
import type * as tf from '@tensorflow/tfjs-core';
import type { GpuState } from './gpu';
import type { Probe, WebgpuKernel } from './kernel';
import { sizeOf } from './program';

const TOLERANCE = 1e-4;

const probedWith = new WeakMap<GpuState, Set<string>>();

/**
 * Tries each kernel on its probes, unless that was done with these settings, and notes in the state those that do not
 * compile or compute wrongly.
 */
export async function runProbes(state: GpuState, kernels: readonly WebgpuKernel[]): Promise<void> {
  const probed = probedWith.get(state) ?? new Set<string>();
  probedWith.set(state, probed);
  const keyOf = ({ kernelName }: WebgpuKernel) => `${kernelName} ${JSON.stringify(state.settings)}`;
  const fresh = kernels.filter((kernel) => !probed.has(keyOf(kernel)));
  // All are started before any is waited for.
  const checks = fresh.flatMap((kernel) => kernel.probes.map((probe) => start(state, kernel, probe)));
  // The guard has noted them in the state; left there, the first reading of values would throw them.
  await state.guard.takeFailures();
  for (const check of checks) await check();
  for (const kernel of fresh) probed.add(keyOf(kernel));
}

/** Runs a probe, and returns what compares its outputs. */
function start(
  state: GpuState,
  kernel: WebgpuKernel,
  { inputs, attrs, expected }: Probe,
): () => Promise<void> {
  const { backend, failed } = state;
  const { kernelName, kernelFunc } = kernel;
  const tensors: Record<string, tf.TensorInfo> = {};
  for (const [name, { shape, data }] of Object.entries(inputs)) {
    tensors[name] = backend.makeTensorInfo(shape, 'float32', Float32Array.from(data));
  }
  // tfjs types attributes as JSON.
  const outputs = [kernelFunc({ inputs: tensors, attrs: attrs as tf.NamedAttrMap, backend })].flat();
  return async () => {
    try {
      if (failed.has(kernelName)) return;
      const values = await Promise.all(outputs.map((info) => valuesOf(state, info)));
      const problem = differenceOf(values, expected);
      if (problem)
        failed.set(kernelName, new BackendError({ component: `${kernelName} on webgpu`, ...problem }));
    } finally {
      for (const { dataId } of [...Object.values(tensors), ...outputs]) backend.disposeData(dataId);
    }
  };
}

async function valuesOf({ backend }: GpuState, { dataId, shape }: tf.TensorInfo): Promise<Float32Array> {
  const values = (await backend.read(dataId)) as Float32Array;
  return values.subarray(0, sizeOf(shape));
}

function differenceOf(
  values: readonly Float32Array[],
  expected: Probe['expected'],
): { expected: string; actual: string } | undefined {
  for (const [output, right] of expected.entries()) {
    for (const [i, value] of right.entries()) {
      const came = values[output]?.[i] ?? Number.NaN;
      // Written so that NaN fails.
      if (!(Math.abs(came - value) <= TOLERANCE * Math.max(1, Math.abs(value)))) {
        return { expected: `${value} at ${i} of output ${output}`, actual: `it computes ${came}` };
      }
    }
  }
  return undefined;
}
