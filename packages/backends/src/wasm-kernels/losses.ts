import type * as tf from '@tensorflow/tfjs-core';
import { rowsOf, wasmKernel } from './call';

interface CrossEntropyAttrs {
  targets: Int32Array;
  weights: Float32Array;
}

const ONE_PASS = 'one pass over the logits, and no probabilities kept';

/** `mmllm/LogSumExp`: over the last axis, float32[…]. */
export const logSumExpKernel = wasmKernel<{ x: tf.TensorInfo }, object>(
  'mmllm/LogSumExp',
  ONE_PASS,
  ({ inputs: { x }, kernels, address, output }) => {
    const out = output(x.shape.slice(0, -1));
    const { rows, width } = rowsOf(x);
    kernels.logSumExp(address(x), rows, width, address(out));
    return out;
  },
);

/** `mmllm/LogSumExpGrad`: `softmax(x) · dy`. */
export const logSumExpGradKernel = wasmKernel<
  { dy: tf.TensorInfo; x: tf.TensorInfo; out: tf.TensorInfo },
  object
>('mmllm/LogSumExpGrad', ONE_PASS, ({ inputs: { dy, x, out }, kernels, address, output }) => {
  const dx = output(x.shape);
  const { rows, width } = rowsOf(x);
  kernels.logSumExpGradient(address(dy), address(x), address(out), rows, width, address(dx));
  return dx;
});

/** Targets and weights side by side, and behind them a float of scratch for each row. */
function writeTargets(memory: WebAssembly.Memory, address: number, { targets, weights }: CrossEntropyAttrs) {
  const rows = targets.length;
  new Int32Array(memory.buffer, address, rows).set(targets);
  new Float32Array(memory.buffer, address + 4 * rows, rows).set(weights);
  return { targets: address, weights: address + 4 * rows, losses: address + 8 * rows };
}

/** `mmllm/CrossEntropy`: the loss, and the log Σ exp of every row that counts, float32[N]. */
export const crossEntropyKernel = wasmKernel<{ logits: tf.TensorInfo }, CrossEntropyAttrs>(
  'mmllm/CrossEntropy',
  ONE_PASS,
  ({ inputs: { logits }, attrs, kernels, address, output, withScratch }) => {
    const { rows, width } = rowsOf(logits);
    const loss = output([]);
    const sums = output([rows]);
    withScratch(12 * rows, (scratch, memory) => {
      const { targets, weights, losses } = writeTargets(memory, scratch, attrs);
      kernels.crossEntropy(
        address(logits),
        targets,
        weights,
        rows,
        width,
        losses,
        address(sums),
        address(loss),
      );
    });
    return [loss, sums];
  },
);

/** `mmllm/CrossEntropyGrad`: `(softmax(logits) − onehot(target)) · weight · dy`. */
export const crossEntropyGradKernel = wasmKernel<
  { logits: tf.TensorInfo; logSumExp: tf.TensorInfo; dy: tf.TensorInfo },
  CrossEntropyAttrs
>(
  'mmllm/CrossEntropyGrad',
  ONE_PASS,
  ({ inputs: { logits, logSumExp, dy }, attrs, kernels, address, output, read, withScratch }) => {
    const { rows, width } = rowsOf(logits);
    const out = output(logits.shape);
    withScratch(8 * rows, (scratch, memory) => {
      const { targets, weights } = writeTargets(memory, scratch, attrs);
      kernels.crossEntropyGradient(
        address(logits),
        targets,
        weights,
        address(logSumExp),
        read(dy),
        rows,
        width,
        address(out),
      );
    });
    return out;
  },
);
