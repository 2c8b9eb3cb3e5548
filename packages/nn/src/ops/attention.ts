import { type AttentionRule, ConfigError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { type AttentionAttrs, type AttentionInputs, attend, attendGradients } from './attention-reference';
import { shapeText } from './checks';
import { defineKernel, defineOp } from './define-op';
import { checkUnpacked, packedWidth } from './quantize-rows';
import { refuseGradient } from './refuse-gradient';

export interface AttentionHeads {
  readonly numHeads: number;
  /** Divides `numHeads`: query head h reads key head ⌊h / (numHeads / numKeyValueHeads)⌋. Default `numHeads`. */
  readonly numKeyValueHeads?: number;
  /** Factor of the scores. Default 1 / √(head size). */
  readonly scale?: number;
  /** S, where k and v have more rows than count, as a cache with room has. Default all. */
  readonly numKeys?: number;
}

/** Outputs: the gradients of q, k and v, of which all rows count. */
const gradients = defineKernel<
  AttentionInputs & { out: tf.Tensor; logSumExp: tf.Tensor; dy: tf.Tensor },
  AttentionAttrs
>({ name: 'mmllm/AttentionGrad', reference: attendGradients });

/**
 * Outputs: the result, and for the gradient the log of the sum of exponentials of every row of scores,
 * float32[B, H, T] (any value where a query sees nothing).
 */
const apply = defineOp<AttentionInputs, AttentionAttrs, 'q' | 'k' | 'v', tf.Tensor3D>({
  name: 'mmllm/Attention',
  reference: attend,
  inputsToSave: ['q', 'k', 'v'],
  outputsToSave: [true, true],
  backward: ({ dy, inputs: { q, k, v }, outputs, attrs, share }) => {
    const [out, logSumExp] = [outputs[0]!, outputs[1]!];
    const room = k.shape[1] - attrs.numKeys;
    const [dq, dk, dv] = share(() => {
      const counting = { k: withoutRoom(k, room), v: withoutRoom(v, room) };
      return gradients({ q, ...counting, out, logSumExp, dy }, attrs);
    });
    return { q: () => tf.clone(dq!), k: () => withRoom(dk!, room), v: () => withRoom(dv!, room) };
  },
});

/** Of keys and values that `quantizeRows` has packed. Only a backend that packs can read them. */
const applyPacked = defineOp<AttentionInputs, AttentionAttrs, never, tf.Tensor3D>({
  name: 'mmllm/PackedAttention',
  reference: (inputs, attrs) => {
    checkUnpacked('attention', inputs.k);
    return attend(inputs, attrs);
  },
  inputsToSave: [],
  backward: () => {
    const refuse = refuseGradient('attention');
    return { q: refuse, k: refuse, v: refuse };
  },
});

const withoutRoom = (x: tf.Tensor3D, room: number): tf.Tensor3D =>
  room === 0 ? x : tf.slice(x, [0, 0, 0], [x.shape[0], x.shape[1] - room, x.shape[2]]);

const withRoom = (x: tf.Tensor, room: number): tf.Tensor =>
  room === 0 ? tf.clone(x) : tf.concat([x, tf.zeros([x.shape[0]!, room, x.shape[2]!])], 1);

/**
 * Scaled dot-product attention, grouped-query included: `softmax(scale · q·kᵀ + mask)·v` for every head (Vaswani et
 * al., arXiv:1706.03762; Ainslie et al., arXiv:2305.13245). Heads lie side by side in the last axis, as linear layers
 * leave them. No probabilities are kept for the gradient. The caller owns the result.
 *
 * @param q float32[B, T, numHeads · d]
 * @param k float32[B, C, numKeyValueHeads · d], of which the first S = `numKeys` rows count; or as `quantizeRows` gives
 *   them, without a gradient
 * @param v as k
 * @param rule who sees whom; a query that sees no key gets zeros, and gives no gradient. A prefix is seen whatever
 *   `causal` and `window` say; a window without `causal` only limits the view back. Not to be changed after its use.
 *   NaN passes from a key to all that see it, and may pass to others: keys that no query near sees are not read.
 * @returns float32[B, T, numHeads · d]
 * @throws ShapeError if sizes do not fit, also those of the rule.
 * @throws ConfigError if the heads do not divide the width or each other.
 */
export function attention(
  q: tf.Tensor3D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  rule: AttentionRule,
  { numHeads, numKeyValueHeads = numHeads, scale, numKeys = k.shape[1] }: AttentionHeads,
): tf.Tensor3D {
  const headSize = checkSizes(q, k, v, numHeads, numKeyValueHeads);
  checkNumKeys(numKeys, k.shape[1]);
  checkRule(rule, q.shape[0], q.shape[1], numKeys, numHeads);
  const factor = scale ?? 1 / Math.sqrt(headSize);
  const attrs = { rule, numHeads, numKeyValueHeads, numKeys, scale: factor };
  if (k.dtype === 'int32') return applyPacked({ q, k, v }, attrs);
  return apply({ q, k, v }, attrs);
}

function checkSizes(
  q: tf.Tensor3D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  numHeads: number,
  numKeyValueHeads: number,
): number {
  const headSize = q.shape[2] / numHeads;
  if (!Number.isInteger(headSize) || !Number.isInteger(numHeads / numKeyValueHeads)) {
    throw new ConfigError({
      component: 'attention',
      expected: 'a width that numHeads divides, and numHeads that numKeyValueHeads divides',
      actual: `width ${q.shape[2]}, numHeads ${numHeads}, numKeyValueHeads ${numKeyValueHeads}`,
    });
  }
  const keyWidth = numKeyValueHeads * headSize;
  const keyShape = [q.shape[0], k.shape[1], k.dtype === 'int32' ? packedWidth(keyWidth) : keyWidth];
  if ([k, v].some(({ shape, dtype }) => dtype !== k.dtype || !tf.util.arraysEqual(shape, keyShape))) {
    throw new ShapeError({
      component: 'attention',
      expected: `k and v of [${keyShape[0]}, S, ${keyShape[2]}] for q ${shapeText(q.shape)}`,
      actual: `k ${shapeText(k.shape)}, v ${shapeText(v.shape)}`,
    });
  }
  return headSize;
}

function checkNumKeys(numKeys: number, rows: number): void {
  if (Number.isInteger(numKeys) && numKeys >= 0 && numKeys <= rows) return;
  throw new ShapeError({
    component: 'attention',
    expected: `numKeys from 0 to the ${rows} rows of k and v`,
    actual: `${numKeys}`,
  });
}

function checkRule(
  { start, end, prefix, queryBlocks, keyBlocks, bias, biasShape }: AttentionRule,
  batch: number,
  numQueries: number,
  numKeys: number,
  numHeads: number,
): void {
  const refuse = (expected: string, actual: string) => {
    throw new ShapeError({ component: 'attention.rule', expected, actual });
  };
  for (const [name, values, length] of [
    ['start', start, batch],
    ['end', end, batch],
    ['prefix', prefix, batch],
    ['queryBlocks', queryBlocks, batch * numQueries],
    ['keyBlocks', keyBlocks, batch * numKeys],
  ] as const) {
    if (values && values.length !== length) refuse(`${length} values of ${name}`, `${values.length}`);
  }
  if (!queryBlocks !== !keyBlocks) refuse('queryBlocks and keyBlocks together', 'one of them');
  if (!bias !== !biasShape) refuse('bias and biasShape together', 'one of them');
  if (!bias || !biasShape) return;
  const [b, h, t, s] = biasShape;
  const fits = (b === 1 || b === batch) && (h === 1 || h === numHeads) && t === numQueries && s === numKeys;
  if (!fits || bias.length !== b * h * t * s) {
    refuse(
      `a bias of [${batch} or 1, ${numHeads} or 1, ${numQueries}, ${numKeys}]`,
      `${bias.length} values of ${shapeText(biasShape)}`,
    );
  }
}
