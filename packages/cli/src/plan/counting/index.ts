import * as tf from '@tensorflow/tfjs-core';
import { CountingBackend } from './backend';
import type { Output, ShapeKernel } from './kernel';
import { Meter } from './meter';
import { opKernels } from './op-kernels';
import { tfjsKernels } from './tfjs-kernels';

export type { CountingBackend } from './backend';
export { Meter, type Peak, type Phase } from './meter';

const NAME = 'mmllm-counting';

export interface Counting {
  readonly backend: CountingBackend;
  readonly meter: Meter;
}

let counting: Counting | undefined;

/** One at a time: all share the backend, and its meter. */
let queue: Promise<unknown> = Promise.resolve();

/**
 * Runs something on a backend that holds no data, and makes the backend of before current again. Nothing else of tfjs
 * may run in the meantime.
 */
export function whileCounting<T>(run: (counting: Counting) => Promise<T>): Promise<T> {
  const turn = queue.then(() => inTurn(run));
  queue = turn.catch(() => {});
  return turn;
}

async function inTurn<T>(run: (counting: Counting) => Promise<T>): Promise<T> {
  const before: string | undefined = tf.engine().backendName;
  counting ??= register();
  counting.meter.leaveOut(tf.engine().state.numBytes);
  await tf.setBackend(NAME);
  try {
    return await run(counting);
  } finally {
    if (before && before !== NAME) await tf.setBackend(before);
  }
}

function register(): Counting {
  const meter = new Meter(() => backend.bytes);
  const backend = new CountingBackend((bytes) => meter.look(bytes));
  // Below every real one, so that nobody gets it without asking.
  tf.registerBackend(NAME, () => backend, -1);
  for (const [kernelName, kernel] of [...Object.entries(tfjsKernels), ...Object.entries(opKernels)]) {
    tf.registerKernel({ kernelName, backendName: NAME, kernelFunc: kernelOf(kernelName, kernel, meter) });
  }
  return { backend, meter };
}

/** What the engine hands to a kernel; the last only the op layer does. */
type KernelParams = Parameters<tf.KernelFunc>[0] & { readonly resultOnly?: boolean };

function kernelOf(kernelName: string, kernel: ShapeKernel, meter: Meter): tf.KernelFunc {
  return ({ inputs, attrs, backend, resultOnly = false }: KernelParams) => {
    meter.begin(kernelName);
    const { outputs, flops = 0 } = kernel({ inputs: inputs as tf.NamedTensorMap, attrs, resultOnly });
    meter.add(flops);
    // Registered for this backend only.
    const counting = backend as CountingBackend;
    const made = (output: Output) =>
      'same' in output
        ? counting.share(output.same, output.shape)
        : counting.make(output.shape, output.dtype ?? 'float32');
    return isList(outputs) ? outputs.map(made) : made(outputs);
  };
}

const isList = (outputs: Output | readonly Output[]): outputs is readonly Output[] => Array.isArray(outputs);
