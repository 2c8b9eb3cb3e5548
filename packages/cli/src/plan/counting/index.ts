import * as tf from '@tensorflow/tfjs-core';
import { CountingBackend } from './backend';
import type { Output, ShapeKernel } from './kernel';
import { opKernels } from './op-kernels';
import { tfjsKernels } from './tfjs-kernels';

export type { CountingBackend } from './backend';
export type { Peak, Phase } from './meter';

const NAME = 'mmllm-counting';

/** One at a time: tfjs has one current backend. */
let queue: Promise<unknown> = Promise.resolve();

/**
 * Runs something on a backend that holds no data; it is gone afterwards, and the one of before is current again. Nothing
 * else of tfjs may run in the meantime.
 */
export function whileCounting<T>(run: (backend: CountingBackend) => Promise<T>): Promise<T> {
  const turn = queue.then(() => inTurn(run));
  queue = turn.catch(() => {});
  return turn;
}

async function inTurn<T>(run: (backend: CountingBackend) => Promise<T>): Promise<T> {
  const before: string | null = tf.engine().backendName;
  registerKernels();
  const backend = new CountingBackend();
  backend.meter.leaveOut(tf.engine().state.numBytes);
  tf.registerBackend(NAME, () => backend);
  await tf.setBackend(NAME);
  try {
    return await run(backend);
  } finally {
    tf.removeBackend(NAME);
    if (before) await tf.setBackend(before);
  }
}

/** Once: kernels stay when their backend goes. */
function registerKernels(): void {
  if (tf.getKernel('Identity', NAME)) return;
  for (const [kernelName, kernel] of [...Object.entries(tfjsKernels), ...Object.entries(opKernels)]) {
    tf.registerKernel({ kernelName, backendName: NAME, kernelFunc: kernelOf(kernelName, kernel) });
  }
}

/** What the engine hands to a kernel; the last only the op layer does. */
type KernelParams = Parameters<tf.KernelFunc>[0] & { readonly resultOnly?: boolean };

function kernelOf(kernelName: string, kernel: ShapeKernel): tf.KernelFunc {
  return ({ inputs, attrs, backend, resultOnly = false }: KernelParams) => {
    // Registered for this backend only.
    const counting = backend as CountingBackend;
    counting.meter.begin(kernelName);
    const { outputs, flops = 0 } = kernel({ inputs: inputs as tf.NamedTensorMap, attrs, resultOnly });
    counting.meter.add(flops);
    const made = (output: Output) =>
      'same' in output
        ? counting.share(output.same, output.shape)
        : counting.make(output.shape, output.dtype ?? 'float32');
    return isList(outputs) ? outputs.map(made) : made(outputs);
  };
}

const isList = (outputs: Output | readonly Output[]): outputs is readonly Output[] => Array.isArray(outputs);
