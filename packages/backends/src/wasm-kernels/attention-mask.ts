import type { AttentionRule } from '@mmllm/core';

export interface MaskSizes {
  readonly batch: number;
  /** T */
  readonly queries: number;
  /** S */
  readonly keys: number;
}

/** An attention rule spelled out, with the queries side by side as the kernels need them. */
export interface StripMask {
  /** Added to the scores, float32[B or 1, H or 1, S, columns]. */
  readonly additive: Float32Array;
  /** float32[B or 1, H or 1, columns]: 0 for a query that sees no key, else 1. Absent if every query sees one. */
  readonly seesAny?: Float32Array;
  readonly batch: number;
  readonly heads: number;
  /** T, rounded up to a multiple of eight. */
  readonly columns: number;
}

/** The op layer's number for a key that is not seen: far below any score, and finite. */
const MASKED = -1e9;

const lastMask = new WeakMap<AttentionRule, { key: string; mask: StripMask | undefined }>();

/**
 * The mask of `rule` for the sizes, or undefined if it hides nothing. All layers share one rule, and rules do not
 * change, so the last mask of each is kept.
 */
export function stripMask(rule: AttentionRule, sizes: MaskSizes): StripMask | undefined {
  const key = `${sizes.batch},${sizes.queries},${sizes.keys}`;
  const cached = lastMask.get(rule);
  if (cached?.key === key) return cached.mask;
  const mask = build(rule, sizes);
  lastMask.set(rule, { key, mask });
  return mask;
}

function build(rule: AttentionRule, { batch: fullBatch, queries, keys }: MaskSizes): StripMask | undefined {
  const { start, end, prefix, queryBlocks, bias, biasShape = [1, 1] } = rule;
  const isPerSample = start || end || prefix || queryBlocks || biasShape[0] > 1;
  const [batch, heads] = [isPerSample ? fullBatch : 1, biasShape[1]];
  const columns = Math.ceil(queries / 8) * 8;
  const additive = new Float32Array(batch * heads * keys * columns);
  const seesAny = new Float32Array(batch * heads * columns).fill(1);
  let hides = bias !== undefined;
  for (let plane = 0; plane < batch * heads; plane++) {
    const [b, h] = [Math.floor(plane / heads), plane % heads];
    const biasFrom = ((biasShape[0] === 1 ? 0 : b) * heads + h) * queries * keys;
    for (let t = 0; t < queries; t++) {
      const sees = visibility(rule, { batch: b, query: t, queries, keys });
      let any = false;
      for (let s = 0; s < keys; s++) {
        const isSeen = sees(s);
        const value = isSeen ? Math.max(bias?.[biasFrom + t * keys + s] ?? 0, MASKED) : MASKED;
        additive[(plane * keys + s) * columns + t] = value;
        any ||= value > MASKED;
        hides ||= !isSeen;
      }
      if (!any) seesAny[plane * columns + t] = 0;
    }
  }
  if (!hides) return undefined;
  return { additive, batch, heads, columns, ...(seesAny.includes(0) && { seesAny }) };
}

/** Which keys one query sees by everything but the bias. */
function visibility(
  { causal, start, end, prefix, queryBlocks, keyBlocks, window }: AttentionRule,
  at: { batch: number; query: number; queries: number; keys: number },
): (key: number) => boolean {
  const { batch: b, query, queries, keys } = at;
  const position = keys - queries + query;
  const first = start?.[b] ?? 0;
  const behind = end?.[b] ?? keys;
  const prefixEnd = prefix?.[b] ?? 0;
  const last = causal ? position : keys;
  const farthest = window === undefined ? 0 : position - window + 1;
  const block = queryBlocks?.[b * queries + query];
  return (s) =>
    s >= first &&
    s < behind &&
    (s < prefixEnd || (s >= farthest && s <= last)) &&
    (block === undefined || block === keyBlocks?.[b * keys + s]);
}
