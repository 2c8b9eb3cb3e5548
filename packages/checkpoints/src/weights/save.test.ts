import { WeightError } from '@mmllm/core';
import { describe, expect, it, vi } from 'vitest';
import { hostModule } from './host-module';
import type { NameMap, NameRule } from './name-map';
import { saveWeights } from './save';

const rule = (ours: string, theirs: string, rest = {}): NameRule => ({ ours, theirs, ...rest });

describe('saveWeights', () => {
  it('reads a parameter only when its tensor is asked for', async () => {
    const module = hostModule({ a: [2, 1], b: [1] });
    const reads = [module.parameter('a'), module.parameter('b')].map((parameter) => {
      parameter.assign(new Float32Array(parameter.size).fill(7));
      return vi.spyOn(parameter, 'read');
    });
    const map: NameMap = {
      rules: [rule('a', 'x', { alternatives: ['z'], layout: 'linear' }), rule('b', 'y')],
    };
    const entries = saveWeights(module, map);
    expect(entries.map(([key, { dtype, shape }]) => [key, dtype, shape])).toEqual([
      ['x', 'F32', [1, 2]],
      ['y', 'F32', [1]],
    ]);
    expect(reads.map((read) => read.mock.calls.length)).toEqual([0, 0]);
    expect(await entries[1]![1].read()).toEqual(Float32Array.of(7));
    expect(reads.map((read) => read.mock.calls.length)).toEqual([0, 1]);
    await expect(entries[0]![1].read({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    );
  });

  it('joins parameters that share a tensor, in the order of their rows', async () => {
    const module = hostModule({ k: [2, 1], q: [2, 2] });
    module.parameter('k').assign(Float32Array.of(5, 6));
    module.parameter('q').assign(Float32Array.of(1, 2, 3, 4));
    const map: NameMap = {
      rules: [
        rule('k', 'joint', { rows: [2, 3], layout: 'linear' }),
        rule('q', 'joint', { rows: [0, 2], layout: 'linear' }),
      ],
    };
    const [[key, tensor]] = saveWeights(module, map) as [ReturnType<typeof saveWeights>[number]];
    expect([key, tensor.shape]).toEqual(['joint', [3, 2]]);
    expect(await tensor.read()).toEqual(Float32Array.of(1, 3, 2, 4, 5, 6));
  });

  const module = hostModule({ a: [4, 2], b: [4, 3] });
  it.each<[what: string, rules: NameRule[], message: RegExp]>([
    ['a parameter without a rule', [rule('a', 'x')], /1 without a rule: b/],
    ['two parameters under one key', [rule('a', 'x'), rule('b', 'x')], /x: a takes it whole, beside b/],
    ['rows of another number', [rule('a', 'x', { rows: [0, 3] }), rule('b', 'y')], /a \[4, 2\] for x/],
    [
      'rows of another width',
      [rule('a', 'x', { rows: [0, 4] }), rule('b', 'x', { rows: [4, 8] })],
      /b \[4, 3\] for x/,
    ],
    [
      'rows with a hole before them',
      [rule('a', 'x', { rows: [4, 8] }), rule('b', 'y')],
      /x: row 0 unused, near a/,
    ],
    [
      'a layout that does not fit',
      [rule('a', 'x', { layout: 'conv-linear', kernel: [3] }), rule('b', 'y')],
      /a \[4, 2\] for x/,
    ],
  ])('refuses %s', (_, rules, message) => {
    expect(() => saveWeights(module, { rules })).toThrow(WeightError);
    expect(() => saveWeights(module, { rules })).toThrow(message);
  });
});
