import { BackendError } from '@mmllm/core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { registerGradients } from './gradients';
import { BACKEND_NAMES, type BackendName } from './names';
import { openCpu } from './open/cpu';
import { useFieldMaps } from './open/field-map';
import {
  type OpenBackend,
  type OpenedBackend,
  type OpenOptions,
  softwareReason,
  type WasmPaths,
} from './open/open';
import { openWasm } from './open/wasm';
import { openWebgl } from './open/webgl';
import { openWebgpu } from './open/webgpu';
import { checkKernelsOff, type KernelOptions, type KernelsOff, registerAllKernels } from './register-kernels';
import { type BackendReport, describeBackend, type RejectedBackend } from './report';
import { checkCurrentBackend } from './self-check';
import { hasSimd, startPool, type ThreadPool, threadCount } from './wasm-kernels';
import { checkShaders, type GpuPrecision } from './webgpu-kernels';

export interface StartOptions {
  /** `'auto'`, the default, takes the first of webgpu, webgl, wasm and cpu that works and is no emulated GPU. */
  backend?: 'auto' | BackendName;
  /** Stops between two steps; the promise is then rejected with the signal's reason. */
  signal?: AbortSignal;
  /** Called with the report as soon as the backend runs. */
  onReport?: (report: BackendReport) => void;
  /**
   * Where the browser finds the wasm binaries of `@tensorflow/tfjs-backend-wasm`: a folder's address with a slash at
   * its end, or each file's. Needed only where no bundler placed them. Heeded until the wasm backend first starts.
   */
  wasmPaths?: WasmPaths;
  /**
   * What products on webgpu read their factors as: `'float16'` is faster and less exact, and takes numbers above 65504
   * for infinite. Sums are float32 in any case. Without the device's feature `shader-f16` it is float32, the default.
   */
  gpuPrecision?: GpuPrecision;
  /**
   * Threads that our kernels on wasm work with, the main one included, where memory can be shared: in Node, and in pages
   * that are cross-origin isolated. Default: one for each core, at most 8. Other backends leave it aside.
   */
  threads?: number;
  /**
   * Kernels of the op layer, such as `mmllm/Attention`, that are left to their references in plain tfjs: to find out
   * whether one is at fault. Names that the backend has no kernel of are left aside. Default: none; each start says it anew.
   */
  kernelsOff?: KernelsOff;
  /**
   * Whether kernels of ours on webgpu are tried on small inputs at the start, so that those which a driver compiles wrongly
   * are left to their references. It compiles each of them, which takes an emulated GPU seconds. `false` is for devices
   * that are known to compute rightly; a shader that does not compile is found in any case, when it first runs. Default
   * true.
   */
  probeKernels?: boolean;
}

const OPEN: Record<BackendName, OpenBackend> = {
  webgpu: openWebgpu,
  webgl: openWebgl,
  wasm: openWasm,
  cpu: openCpu,
};

interface Running {
  report: BackendReport;
  software: boolean;
  /** Threads that our kernels on wasm were last given, and those of them that helpers are. */
  threads?: number;
  pool?: ThreadPool | undefined;
  stop: () => void;
}

/** The backends that were started here and not stopped. */
const running = new Map<BackendName, Running>();

/** Starts and stops wait for each other: two at once would change tfjs's current backend under each other's feet. */
let queue: Promise<unknown> = Promise.resolve();

function inTurn<T>(task: () => Promise<T>): Promise<T> {
  const turn = queue.then(task);
  queue = turn.catch(() => {});
  return turn;
}

/**
 * Starts a tfjs backend and makes it the current one, in a browser or in Node: computes something small on it, checks
 * the numbers, and registers the kernels that it lacks or has wrong. A backend that runs already is only made
 * current again.
 *
 * @throws {BackendError} if the backend that was asked for does not work here, saying why.
 */
export const startBackend = (options: StartOptions = {}): Promise<BackendReport> =>
  inTurn(async () => {
    const previous: string | null = tf.getBackend();
    try {
      const report = await pick(options);
      options.onReport?.(report);
      return report;
    } catch (error) {
      if (previous && tf.findBackendFactory(previous)) await tf.setBackend(previous);
      throw error;
    }
  });

/**
 * Stops every backend that `startBackend` started and frees what it holds, a GPU device for one. Tensors that live on
 * them are lost, so dispose of models first. A Node process also ends without it.
 */
export const stopBackend = (): Promise<void> =>
  inTurn(async () => {
    for (const [name, { stop, pool }] of running) {
      // First, so that one that does not stop is not in the way of the next call.
      running.delete(name);
      pool?.stop();
      stop();
    }
  });

/**
 * Explains the current backend in a few lines: what runs and why, and each kernel that was added, replaced or turned off.
 *
 * @throws {BackendError} if the current backend was not started by `startBackend`.
 */
export function explainBackend(): string {
  const name: string | null = tf.getBackend();
  const report = running.get(name as BackendName)?.report;
  if (!report) {
    throw new BackendError({
      component: 'backends',
      expected: 'a backend started by startBackend()',
      actual: name ?? 'none',
    });
  }
  const kernels = report.kernels.map(({ kernelName, reason }) => `  ${kernelName}: ${reason}`);
  const others = 'all other ops run as their references, in plain tfjs';
  return [describeBackend(report), 'kernels of our own:', ...kernels, others].join('\n');
}

/**
 * Checks that all kernels of ours which ran on the current backend did compute. On webgpu a shader that its driver
 * refuses computes nothing, which shows only later: whatever comes first of this, the next kernel of ours and the next
 * reading of a tensor (but not `dataSync`) throws, and the op goes on with its reference. Repeat what was computed.
 *
 * @throws {BackendError} naming the kernel, once for each.
 */
export async function checkBackend(): Promise<void> {
  if (tf.getBackend() === 'webgpu') await checkShaders(tf.backend() as WebGPUBackend);
}

async function pick({
  backend = 'auto',
  signal,
  wasmPaths,
  threads,
  gpuPrecision,
  kernelsOff,
  probeKernels,
}: StartOptions): Promise<BackendReport> {
  if (backend !== 'auto' && !BACKEND_NAMES.includes(backend)) {
    throw new BackendError({
      component: 'backends',
      expected: `auto, ${BACKEND_NAMES.join(', ')}`,
      actual: `${backend}`,
    });
  }
  checkKernelsOff(kernelsOff);
  const wanted = threads === undefined ? undefined : threadCount(threads);
  const candidates = backend === 'auto' ? BACKEND_NAMES : [backend];
  const rejected: RejectedBackend[] = [];
  for (const name of candidates) {
    signal?.throwIfAborted();
    try {
      const open = { allowSoftware: backend !== 'auto', wasmPaths, gpuPrecision, kernelsOff, probeKernels };
      const reason =
        backend === 'auto' ? 'the fastest kind that works here' : 'asked for by name, and works here';
      const entry = await start(name, open, { reason, rejected });
      if (name === 'wasm') setPool(entry, wanted);
      return entry.report;
    } catch (error) {
      rejected.push({ backend: name, reason: messageOf(error) });
    }
  }
  signal?.throwIfAborted();
  throw new BackendError({
    component: 'backends',
    expected: backend === 'auto' ? 'a working backend' : `a working ${backend} backend`,
    actual: rejected.map((other) => `${other.backend}: ${other.reason}`).join('; '),
  });
}

async function start(
  name: BackendName,
  options: OpenOptions & KernelOptions,
  decision: Pick<BackendReport, 'reason' | 'rejected'>,
): Promise<Running> {
  const before = running.get(name);
  if (before) {
    if (before.software && !options.allowSoftware) throw new Error(softwareReason(before.report.device));
    await tf.setBackend(name);
    const kernels = await registerAllKernels(name, options);
    before.report = { ...before.report, ...decision, kernels };
    return before;
  }
  const { device, software = false, stop } = await install(name, options);
  try {
    registerGradients();
    await tf.setBackend(name);
    useFieldMaps(tf.backend());
    const kernels = await registerAllKernels(name, options);
    await checkCurrentBackend();
    const report = { backend: name, ...decision, ...(device && { device }), kernels };
    const entry = { report, software, stop };
    running.set(name, entry);
    return entry;
  } catch (error) {
    stop();
    throw error;
  }
}

/** Gives the wasm backend as many threads as are wanted; asked for nothing, it keeps those that it has. */
function setPool(entry: Running, wanted: number | undefined): void {
  if (!hasSimd()) return;
  const threads = wanted ?? entry.threads ?? threadCount();
  if (threads === entry.threads) return;
  entry.pool?.stop();
  Object.assign(entry, { pool: undefined, threads: 1 });
  entry.pool = startPool(tf.backend() as BackendWasm, threads);
  entry.threads = threads;
  const count = entry.pool?.count ?? 1;
  entry.report = { ...entry.report, device: `SIMD, ${count === 1 ? '1 thread' : `${count} threads`}` };
}

/** Hands a backend to tfjs, without making it the current one. */
async function install(
  name: BackendName,
  options: OpenOptions,
): Promise<Pick<OpenedBackend, 'device' | 'software'> & { stop: () => void }> {
  // The application started it already, and its tensors may live there: it is not ours to replace or to stop.
  if (name in tf.engine().registry) return { stop: () => {} };
  const { backend, close, ...about } = await OPEN[name](options);
  // tfjs's packages register a factory of their own, for an instance that nobody has checked.
  if (tf.findBackendFactory(name)) tf.removeBackend(name);
  tf.registerBackend(name, () => backend);
  const stop = () => {
    tf.removeBackend(name);
    close?.();
  };
  return { ...about, stop };
}

const messageOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
