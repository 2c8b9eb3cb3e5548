import type { DecoderInputs, ModelInputs, Positions } from './contracts';

/**
 * One-axis positions 0, 1, 2, … of every sample, counted from its first real token; padding in front gets 0.
 * @param start first real position of each sample, int32[B].
 * @param offset tokens before these, as a cache holds them; `start` counts from the first of them.
 */
export function sequentialPositions(
  [batch, length]: readonly [number, number],
  start?: Int32Array,
  offset = 0,
): Positions {
  const data = new Int32Array(batch * length);
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < length; t++) data[b * length + t] = Math.max(0, offset + t - (start?.[b] ?? 0));
  }
  return { data, axes: 1, shape: [batch, length] };
}

/** Positions of packed samples: 0, 1, 2, … from the first token of every block on. @param blocks int32[B, T] */
export function packedPositions([batch, length]: readonly [number, number], blocks: Int32Array): Positions {
  const data = new Int32Array(batch * length);
  for (let i = 0; i < data.length; i++) {
    const goesOn = i % length > 0 && blocks[i] === blocks[i - 1];
    data[i] = goesOn ? data[i - 1] + 1 : 0;
  }
  return { data, axes: 1, shape: [batch, length] };
}

/** Positions and rule of a text in which each token stands behind the one before it; packed samples stay apart. */
export function textOrder({
  ids,
  start,
  end,
  prefix,
  blocks,
}: Pick<ModelInputs, 'ids' | 'start' | 'end' | 'prefix' | 'blocks'>): Pick<
  DecoderInputs,
  'positions' | 'rule'
> {
  const rule = { causal: true, start, end, prefix };
  if (!blocks) return { positions: sequentialPositions(ids.shape, start), rule };
  return {
    positions: packedPositions(ids.shape, blocks),
    rule: { ...rule, queryBlocks: blocks, keyBlocks: blocks },
  };
}

/** The position of the token after the last one, for each sample: the largest of all axes plus one. */
export function nextPositions({ data, axes, shape: [batch, length] }: Positions): Int32Array {
  const next = new Int32Array(batch);
  for (let axis = 0; axis < axes; axis++) {
    for (let b = 0; b < batch; b++) {
      for (let t = 0; t < length; t++) next[b] = Math.max(next[b], data[(axis * batch + b) * length + t] + 1);
    }
  }
  return next;
}
