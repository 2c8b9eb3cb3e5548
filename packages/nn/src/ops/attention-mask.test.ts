import type { AttentionRule } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { attentionMask, MASKED } from './attention-mask';

const sizes = { batch: 2, numQueries: 2, numKeys: 3 };

/** Rows of one sample and head as text: a dot for a key that is seen. */
const drawn = (rule: AttentionRule, of = sizes) => {
  const mask = attentionMask(rule, of);
  if (!mask) return undefined;
  const cells = Array.from(mask.additive, (value) => (value === 0 ? '.' : value === MASKED ? '#' : '?'));
  return Array.from({ length: cells.length / of.numKeys }, (_, row) =>
    cells.slice(row * of.numKeys, (row + 1) * of.numKeys).join(''),
  );
};

describe('attentionMask', () => {
  it('is absent where nothing is hidden', () => {
    expect(drawn({ causal: false })).toBeUndefined();
    expect(drawn({ causal: true }, { batch: 2, numQueries: 1, numKeys: 4 })).toBeUndefined();
    expect(drawn({ causal: false, start: Int32Array.of(0, 0), end: Int32Array.of(3, 3) })).toBeUndefined();
  });

  it('is one for all samples where they do not differ', () => {
    expect(drawn({ causal: true })).toEqual(['..#', '...']);
    expect(drawn({ causal: true, window: 2 })).toEqual(['..#', '#..']);
    expect(attentionMask({ causal: true }, sizes)!.shape).toEqual([1, 1, 2, 3]);
  });

  it('spells out what differs', () => {
    expect(drawn({ causal: true, start: Int32Array.of(1, 3) })).toEqual(['#.#', '#..', '###', '###']);
    expect(drawn({ causal: false, end: Int32Array.of(2, 1) })).toEqual(['..#', '..#', '.##', '.##']);
    expect(drawn({ causal: true, prefix: Int32Array.of(0, 3) })).toEqual(['..#', '...', '...', '...']);
    const queryBlocks = Int32Array.of(0, 1, 2, 2);
    const keyBlocks = Int32Array.of(0, 0, 1, 0, 2, 2);
    expect(drawn({ causal: false, queryBlocks, keyBlocks })).toEqual(['..#', '##.', '#..', '#..']);
  });

  it('says which queries see nothing', () => {
    expect(attentionMask({ causal: true }, sizes)!.seesAny).toBeUndefined();
    const mask = attentionMask({ causal: true, start: Int32Array.of(2, 0) }, sizes)!;
    expect([...mask.seesAny!]).toEqual([0, 1, 1, 1]);
  });

  it('adds a bias, and takes -Infinity of it as hidden', () => {
    const bias = Float32Array.of(1, 2, Number.NEGATIVE_INFINITY, 4, 5, 6);
    const mask = attentionMask({ causal: true, bias, biasShape: [1, 1, 2, 3] }, sizes)!;
    expect([...mask.additive]).toEqual([1, 2, MASKED, 4, 5, 6]);
  });

  it('is made once for all layers of a forward pass', () => {
    const rule: AttentionRule = { causal: true };
    const first = attentionMask(rule, sizes);
    expect(attentionMask(rule, sizes)).toBe(first);
    expect(attentionMask(rule, { ...sizes, numKeys: 4 })).not.toBe(first);
    expect(attentionMask({ causal: true }, sizes)).not.toBe(first);
  });
});
