import type { AttentionRule } from '@mmllm/core';

export interface AttentionSizes {
  readonly batch: number;
  /** T */
  readonly numQueries: number;
  /** S */
  readonly numKeys: number;
}

/** An attention rule spelled out for one set of sizes. */
export interface AttentionMask {
  /** Added to the scores: 0 for a key that is seen, {@link MASKED} for one that is not, plus the rule's own bias. */
  readonly additive: Float32Array;
  /** [B or 1, H or 1, T, S] */
  readonly shape: [number, number, number, number];
  /** 1, or 0 for a query that sees no key; [B or 1, H or 1, T, 1]. Absent if every query sees one. */
  readonly seesAny?: Float32Array;
}

/**
 * Finite, because a softmax over a row of -Infinity is NaN; far below any score, so that the weight of a masked key
 * is exactly zero beside one that is seen.
 */
export const MASKED = -1e9;

interface CachedMask {
  readonly key: string;
  readonly mask: AttentionMask | undefined;
}

const lastMask = new WeakMap<AttentionRule, CachedMask>();

/**
 * The mask of `rule`, or undefined if it hides nothing. All layers of a forward pass share one rule, so the last mask
 * of each rule is kept: a rule must not be changed once it was used.
 */
export function attentionMask(rule: AttentionRule, sizes: AttentionSizes): AttentionMask | undefined {
  const key = `${sizes.batch},${sizes.numQueries},${sizes.numKeys}`;
  const cached = lastMask.get(rule);
  if (cached?.key === key) return cached.mask;
  const mask = buildMask(rule, sizes);
  lastMask.set(rule, { key, mask });
  return mask;
}

function buildMask(rule: AttentionRule, sizes: AttentionSizes): AttentionMask | undefined {
  const { numQueries, numKeys } = sizes;
  const visible = visibility(rule, sizes);
  const bias = rule.bias && rule.biasShape ? { values: rule.bias, shape: rule.biasShape } : undefined;
  if (!bias && !visible.values.includes(0)) return undefined;

  const [batch, heads] = [Math.max(visible.batch, bias?.shape[0] ?? 1), bias?.shape[1] ?? 1];
  const plane = numQueries * numKeys;
  const additive = new Float32Array(batch * heads * plane);
  const seesAny = new Float32Array(batch * heads * numQueries);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const to = (b * heads + h) * plane;
      const visibleFrom = visible.batch === 1 ? 0 : b * plane;
      const biasFrom = bias ? ((bias.shape[0] === 1 ? 0 : b) * heads + h) * plane : 0;
      for (let i = 0; i < plane; i++) {
        const value = visible.values[visibleFrom + i]
          ? Math.max(bias?.values[biasFrom + i] ?? 0, MASKED)
          : MASKED;
        additive[to + i] = value;
        if (value > MASKED) seesAny[(b * heads + h) * numQueries + Math.floor(i / numKeys)] = 1;
      }
    }
  }
  return {
    additive,
    shape: [batch, heads, numQueries, numKeys],
    ...(seesAny.includes(0) && { seesAny }),
  };
}

/** Which query sees which key by everything but the bias: 0 or 1, [B or 1, T, S]. */
function visibility(
  rule: AttentionRule,
  { batch: fullBatch, numQueries, numKeys }: AttentionSizes,
): { values: Uint8Array; batch: number } {
  const { causal, start, end, prefix, queryBlocks, keyBlocks, window = Number.POSITIVE_INFINITY } = rule;
  const batch = start || end || prefix || queryBlocks ? fullBatch : 1;
  const values = new Uint8Array(batch * numQueries * numKeys);
  for (let b = 0; b < batch; b++) {
    const firstKey = Math.max(start?.[b] ?? 0, 0);
    const endKey = Math.min(end?.[b] ?? numKeys, numKeys);
    const prefixEnd = prefix?.[b] ?? 0;
    for (let t = 0; t < numQueries; t++) {
      const position = numKeys - numQueries + t;
      const row = (b * numQueries + t) * numKeys;
      const block = queryBlocks?.[b * numQueries + t];
      for (let s = firstKey; s < endKey; s++) {
        const near = s > position - window && (!causal || s <= position);
        const sameBlock = block === undefined || block === keyBlocks?.[b * numKeys + s];
        if (sameBlock && (near || s < prefixEnd)) values[row + s] = 1;
      }
    }
  }
  return { values, batch };
}
