import { BackendError } from '@mmllm/core';

/** What a helper thread joins. */
export interface SharedModule {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Where the main thread's module keeps its state. */
  readonly state: number;
}

export interface ThreadPool {
  /** Threads that work, the main one included. */
  readonly count: number;
  /** Ends the helpers at once; to be called while no kernel runs. */
  stop(): void;
}

interface Helper {
  terminate(): unknown;
}

/**
 * The whole program of a helper, which never ends by itself. Each turn of its loop is one call: when tfjs's memory has
 * grown, an engine tells a thread so at such a point, and V8 of Node 20 loses values of a WebAssembly function that it
 * interrupts for it.
 */
const PROGRAM = `({ module, memory, state, thread }) => {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  exports.attach(state);
  for (let waits = true; ; waits = !waits) waits ? exports.awaitJob() : exports.joinJob(thread);
}`;

/** More threads than this wait for memory more than they compute. */
const MOST = 8;

/**
 * How many threads to use.
 *
 * @throws BackendError unless `wanted` is a positive whole number.
 */
export function threadCount(wanted = Math.min(cores(), MOST)): number {
  if (Number.isInteger(wanted) && wanted > 0) return wanted;
  throw new BackendError({
    component: 'backends.threads',
    expected: 'a positive whole number',
    actual: `${wanted}`,
  });
}

const cores = (): number =>
  typeof process === 'undefined'
    ? (globalThis.navigator?.hardwareConcurrency ?? 1)
    : process.getBuiltinModule('node:os').availableParallelism();

/**
 * Starts `count − 1` helpers beside the main thread. Nobody waits for them: one that is not there yet, or that the page's
 * policy forbids, leaves its share to the others. They do not keep Node from ending.
 */
export function startThreads(shared: SharedModule, count: number): ThreadPool {
  const start = typeof process === 'undefined' ? startInBrowser : startInNode;
  const helpers = Array.from({ length: count - 1 }, (_, i) => start({ ...shared, thread: i + 1 }));
  return {
    count,
    stop: () => {
      for (const helper of helpers) helper?.terminate();
    },
  };
}

type Task = SharedModule & { thread: number };

function startInNode(workerData: Task): Helper {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const code = `(${PROGRAM})(require('node:worker_threads').workerData)`;
  const worker = new Worker(code, { eval: true, workerData, execArgv: [] });
  worker.on('error', () => {});
  worker.unref();
  return worker;
}

function startInBrowser(task: Task): Helper | undefined {
  const code = `onmessage = ({ data }) => (${PROGRAM})(data)`;
  const address = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
  try {
    const worker = new Worker(address);
    worker.postMessage(task);
    return worker;
  } catch {
    return undefined;
  }
}
