import type { TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/** What one kernel, or one kernel at one size, took in a run. */
export interface KernelTime {
  readonly kernel: string;
  calls: number;
  /** Without the kernels that it called in turn. */
  ms: number;
}

/**
 * Measures a run kernel by kernel, on a backend that computes at once (wasm, cpu). A kernel that runs others, such as a
 * reference in plain ops, counts without them. Kernels are seen from their second run on, since those in plain ops are
 * registered in the first: so the work runs twice before.
 *
 * @returns the times by kernel and by kernel with the shapes of its inputs, the longest first, and that of the whole run.
 */
export async function profileKernels(run: () => Promise<unknown>) {
  await run();
  await run();
  const byKernel = new Map<string, KernelTime>();
  const bySize = new Map<string, KernelTime>();
  /** Time in called kernels, for every kernel that is running. */
  const inner: number[] = [];
  const kernels = tf.getKernelsForBackend(tf.getBackend());
  const restore = kernels.map((config) => {
    const { kernelName, kernelFunc } = config;
    config.kernelFunc = (params) => {
      const start = performance.now();
      inner.push(0);
      try {
        return kernelFunc(params);
      } finally {
        const elapsed = performance.now() - start;
        const own = elapsed - (inner.pop() ?? 0);
        if (inner.length > 0) inner[inner.length - 1] += elapsed;
        add(byKernel, kernelName, own);
        add(bySize, `${kernelName} ${shapesOf(params.inputs as Record<string, TensorInfo>)}`, own);
      }
    };
    return () => {
      config.kernelFunc = kernelFunc;
    };
  });
  const start = performance.now();
  try {
    await run();
  } finally {
    for (const undo of restore) undo();
  }
  return { ms: performance.now() - start, byKernel: sorted(byKernel), bySize: sorted(bySize) };
}

function add(times: Map<string, KernelTime>, kernel: string, ms: number): void {
  const time = times.get(kernel) ?? { kernel, calls: 0, ms: 0 };
  time.calls++;
  time.ms += ms;
  times.set(kernel, time);
}

const sorted = (times: Map<string, KernelTime>): KernelTime[] =>
  [...times.values()].sort((a, b) => b.ms - a.ms);

const shapesOf = (inputs: Record<string, TensorInfo>): string =>
  Object.entries(inputs)
    .map(([name, tensor]) => `${name}[${tensor.shape.join(',')}]`)
    .join(' ');
