import * as tf from '@tensorflow/tfjs-core';
import type { BackendName } from '../names';

/** A kernel of ours that fills a gap of a tfjs backend, or replaces a kernel that is wrong there. */
export interface KernelFix {
  /** tfjs's name of the kernel. */
  kernelName: string;
  backends: readonly BackendName[];
  /** What is missing or wrong without it. */
  reason: string;
  /** Builds the kernel. `stock` is the one that the backend brings; where it brings none, calling it throws. */
  create(stock: tf.KernelFunc, backend: BackendName): tf.KernelFunc;
}

/** The kernels that were made here, so that starting a backend again does not wrap them twice. */
const ours = new WeakSet<tf.KernelFunc>();

/** Registers the `fixes` that are for `backend`, unless they are registered already, and returns them. */
export function registerFixes(fixes: readonly KernelFix[], backend: BackendName): KernelFix[] {
  const wanted = fixes.filter((fix) => fix.backends.includes(backend));
  for (const fix of wanted) register(fix, backend);
  return wanted;
}

function register({ kernelName, create }: KernelFix, backendName: BackendName): void {
  const stock: tf.KernelConfig | undefined = tf.getKernel(kernelName, backendName);
  if (stock && ours.has(stock.kernelFunc)) return;
  const missing: tf.KernelFunc = () => {
    throw new Error(`${backendName} has no kernel ${kernelName}`);
  };
  const kernelFunc = create(stock?.kernelFunc ?? missing, backendName);
  ours.add(kernelFunc);
  if (stock) tf.unregisterKernel(kernelName, backendName);
  // The stock set-up and disposal stay: a wrapper still calls the stock kernel.
  tf.registerKernel({ ...stock, kernelName, backendName, kernelFunc });
}

type KernelParams = Parameters<tf.KernelFunc>[0];

/**
 * A kernel's inputs as tensors, which kernels that are composed of ops need. tfjs runs every registered kernel on
 * whole tensors; the bare infos of the declared type only pass between kernels that call each other.
 */
export const tensorsOf = <Inputs>({ inputs }: KernelParams): Inputs => inputs as unknown as Inputs;

/** A kernel's attributes, which tfjs declares loosely, by the type that it documents for the kernel. */
export const attrsOf = <Attrs>({ attrs }: KernelParams): Attrs => attrs as unknown as Attrs;
