import type { AttentionRule } from '@mmllm/core';
import type * as tf from '@tensorflow/tfjs-core';
import { type AttentionSizes, type AttentionTensors, taskBytes, writeTask } from './attention-task';
import { type Call, wasmKernel } from './call';

interface AttentionInputs {
  /** float32[B, T, numHeads · d] */
  q: tf.TensorInfo;
  /** float32[B, C, numKeyValueHeads · d], or packed rows in int32, of which the first `numKeys` rows count. */
  k: tf.TensorInfo;
  /** As k. */
  v: tf.TensorInfo;
}

interface GradientInputs extends AttentionInputs {
  /** float32[B, T, numHeads · d] */
  out: tf.TensorInfo;
  /** float32[B, numHeads, T] */
  logSumExp: tf.TensorInfo;
  /** float32[B, T, numHeads · d] */
  dy: tf.TensorInfo;
}

interface AttentionAttrs {
  rule: AttentionRule;
  numHeads: number;
  numKeyValueHeads: number;
  numKeys: number;
  scale: number;
}

/** `mmllm/Attention`: the result, and the log of the sum of exponentials of every row of scores. */
export const attentionKernel = wasmKernel<AttentionInputs, AttentionAttrs>(
  'mmllm/Attention',
  'fused: no scores and no mask are made, heads are read in place',
  (call) => {
    const { batch, heads, queries } = sizesOf(call);
    const out = call.output(call.inputs.q.shape);
    const logSumExp = call.resultOnly ? undefined : call.output([batch, heads, queries]);
    attend(call, out, logSumExp);
    return logSumExp ? [out, logSumExp] : [out];
  },
);

/** `mmllm/PackedAttention`: the result alone, of keys and values that `mmllm/QuantizeRows` has packed. */
export const packedAttentionKernel = wasmKernel<AttentionInputs, AttentionAttrs>(
  'mmllm/PackedAttention',
  'fused, and widens keys and values of 8 bits a few rows at a time',
  (call) => {
    const out = call.output(call.inputs.q.shape);
    attend(call, out);
    return out;
  },
  ['k', 'v'],
);

/** Fills the outputs. */
function attend(call: AttentionCall, out: tf.TensorInfo, logSumExp?: tf.TensorInfo): void {
  const { kernels, address } = call;
  const sizes = sizesOf(call);
  const { queries, keys, heads, keyHeads, headSize, packed } = sizes;
  if (isEmpty(sizes)) {
    zeroed(call, out);
    if (logSumExp) zeroed(call, logSumExp);
    return;
  }
  const bytes = kernels.attentionScratch(queries, keys, heads / keyHeads, headSize, Number(packed));
  const tensors = {
    ...sides(call),
    out: address(out),
    ...(logSumExp && { logSumExp: address(logSumExp) }),
  };
  withTask(call, sizes, tensors, bytes, kernels.attention);
}

/** `mmllm/AttentionGrad`: the gradients of q, k and v. */
export const attentionGradKernel = wasmKernel<GradientInputs, AttentionAttrs>(
  'mmllm/AttentionGrad',
  'fused: weights are recomputed in the cache from the log-sum-exp',
  (call) => {
    const { q, k, v, out, logSumExp, dy } = call.inputs;
    const { kernels, address } = call;
    const sizes = sizesOf(call);
    const gradients = [q, k, v].map(({ shape }) => call.output(shape));
    if (isEmpty(sizes)) return gradients.map((gradient) => zeroed(call, gradient));
    const [dq, dk, dv] = gradients.map(address);
    const tensors = {
      ...sides(call),
      ...{ out: address(out), logSumExp: address(logSumExp), dy: address(dy), dq, dk, dv },
    };
    const bytes = kernels.attentionGradientScratch(sizes.keys, sizes.headSize);
    withTask(call, sizes, tensors, bytes, kernels.attentionGradient);
    return gradients;
  },
);

type AttentionCall = Call<AttentionInputs, AttentionAttrs>;

function sizesOf({ inputs: { q, k }, attrs }: AttentionCall): AttentionSizes {
  const [batch, queries, width] = q.shape as [number, number, number];
  const { numHeads, numKeyValueHeads, numKeys, scale } = attrs;
  return {
    ...{ batch, queries, keys: numKeys, keyRows: k.shape[1]!, scale },
    ...{ heads: numHeads, keyHeads: numKeyValueHeads, headSize: width / numHeads },
    packed: k.dtype === 'int32',
  };
}

const isEmpty = ({ batch, queries, keys, headSize }: AttentionSizes): boolean =>
  batch * queries * keys * headSize === 0;

const sides = ({ inputs: { q, k, v }, address }: AttentionCall) => ({
  q: address(q),
  k: address(k),
  v: address(v),
});

function zeroed({ fill }: AttentionCall, tensor: tf.TensorInfo): tf.TensorInfo {
  fill(tensor, 0);
  return tensor;
}

/**
 * Runs a kernel on a task with its rule as data, and `bytes` of scratch memory behind both; log-sum-exps that nobody wants
 * are left there, too.
 */
function withTask(
  { attrs: { rule }, withScratch }: AttentionCall,
  sizes: AttentionSizes,
  tensors: Omit<AttentionTensors, 'logSumExp'> & { readonly logSumExp?: number },
  bytes: number,
  run: (task: number, scratch: number) => void,
): void {
  // Parts of the scratch memory begin at cache lines.
  const ahead = Math.ceil(taskBytes(rule) / 128) * 128;
  const logs = tensors.logSumExp ? 0 : 4 * sizes.batch * sizes.heads * sizes.queries;
  withScratch(ahead + bytes + logs, (address, memory) => {
    const logSumExp = tensors.logSumExp ?? address + ahead + bytes;
    writeTask(memory, address, rule, sizes, { ...tensors, logSumExp });
    run(address, address + ahead);
  });
}
