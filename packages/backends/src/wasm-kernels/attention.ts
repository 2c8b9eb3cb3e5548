import type { AttentionRule } from '@mmllm/core';
import type * as tf from '@tensorflow/tfjs-core';
import { type StripMask, stripMask } from './attention-mask';
import { type Call, wasmKernel } from './call';
import type { MaskArguments, SizeArguments } from './side-module';

interface AttentionInputs {
  /** float32[B, T, numHeads · d] */
  q: tf.TensorInfo;
  /** float32[B, S, numKeyValueHeads · d] */
  k: tf.TensorInfo;
  /** float32[B, S, numKeyValueHeads · d] */
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
  scale: number;
}

/** `mmllm/Attention`: the result, and the log of the sum of exponentials of every row of scores. */
export const attentionKernel = wasmKernel<AttentionInputs, AttentionAttrs>(
  'mmllm/Attention',
  'fused: no scores are kept, heads are read in place',
  (call) => {
    const { q, k, v } = call.inputs;
    const { kernels, address } = call;
    const { sizes, headSize, keys } = sizesOf(call);
    const out = call.output(q.shape);
    const logSumExp = call.output([q.shape[0]!, call.attrs.numHeads, q.shape[1]!]);
    if (isEmpty(call)) return [zeroed(call, out), zeroed(call, logSumExp)];
    withMask(call, kernels.attentionScratch(keys, headSize), (mask, scratch) => {
      kernels.attention(
        ...[address(q), address(k), address(v)],
        ...mask,
        ...sizes,
        ...[address(out), address(logSumExp), scratch],
      );
    });
    return [out, logSumExp];
  },
);

/** `mmllm/AttentionGrad`: the gradients of q, k and v. */
export const attentionGradKernel = wasmKernel<GradientInputs, AttentionAttrs>(
  'mmllm/AttentionGrad',
  'fused: weights are recomputed in the cache from the log-sum-exp',
  (call) => {
    const { q, k, v, out, logSumExp, dy } = call.inputs;
    const { kernels, address } = call;
    const { sizes, headSize, keys } = sizesOf(call);
    const gradients = [q, k, v].map(({ shape }) => call.output(shape));
    const [dq, dk, dv] = gradients as [tf.TensorInfo, tf.TensorInfo, tf.TensorInfo];
    // Every query adds to them.
    for (const gradient of [dk, dv]) zeroed(call, gradient);
    if (isEmpty(call)) return [zeroed(call, dq), dk, dv];
    withMask(call, kernels.attentionGradientScratch(keys, headSize), (mask, scratch) => {
      kernels.attentionGradient(
        ...[address(q), address(k), address(v), address(out), address(logSumExp), address(dy)],
        ...mask,
        ...sizes,
        ...[address(dq), address(dk), address(dv), scratch],
      );
    });
    return gradients;
  },
);

type AttentionCall = Call<AttentionInputs, AttentionAttrs>;

function sizesOf({ inputs: { q, k }, attrs }: AttentionCall) {
  const [batch, queries, width] = q.shape as [number, number, number];
  const keys = k.shape[1]!;
  const { numHeads, numKeyValueHeads, scale } = attrs;
  const headSize = width / numHeads;
  const sizes: SizeArguments = [batch, queries, keys, numHeads, numKeyValueHeads, headSize, scale];
  return { sizes, headSize, keys };
}

const isEmpty = ({ inputs: { q, k } }: AttentionCall): boolean => [...q.shape, ...k.shape].includes(0);

function zeroed({ fill }: AttentionCall, tensor: tf.TensorInfo): tf.TensorInfo {
  fill(tensor, 0);
  return tensor;
}

/** Lends scratch memory of `bytes` behind the rule's mask, if it has one. */
function withMask(
  { inputs: { q, k }, attrs: { rule }, withScratch }: AttentionCall,
  bytes: number,
  use: (mask: MaskArguments, scratch: number) => void,
): void {
  const mask = stripMask(rule, { batch: q.shape[0]!, queries: q.shape[1]!, keys: k.shape[1]! });
  if (!mask) {
    withScratch(bytes, (scratch) => use([0, 0, 0, 0, 0], scratch));
    return;
  }
  const { additive, seesAny } = mask;
  const maskBytes = additive.byteLength + (seesAny?.byteLength ?? 0);
  withScratch(maskBytes + bytes, (address, { buffer }) => {
    new Float32Array(buffer, address, additive.length).set(additive);
    const seesAnyAt = address + additive.byteLength;
    if (seesAny) new Float32Array(buffer, seesAnyAt, seesAny.length).set(seesAny);
    use([address, seesAny ? seesAnyAt : 0, ...strides(mask)], address + maskBytes);
  });
}

/** Matrices of the mask from a sample to the next and from a head to the next, and its columns. */
function strides({ batch, heads, columns }: StripMask): [number, number, number] {
  return [batch === 1 ? 0 : heads, heads === 1 ? 0 : 1, columns];
}
