import { describe, expect, it } from 'vitest';
import { packedPositions, textOrder } from './positions';

const blocks = Int32Array.of(0, 0, 1, 1, 1, -1, 0, 1, 1, 2, -1, -1);
const ids = { data: new Int32Array(12), shape: [2, 6] } as const;

describe('packed samples', () => {
  it('have positions that begin anew with each, and with each row', () => {
    const { data, axes, shape } = packedPositions(ids.shape, blocks);
    expect([...data]).toEqual([0, 1, 0, 1, 2, 0, 0, 0, 1, 0, 0, 1]);
    expect({ axes, shape }).toEqual({ axes: 1, shape: [2, 6] });
  });

  it('do not see each other', () => {
    const end = Int32Array.of(5, 4);
    const { rule } = textOrder({ ids, end, blocks });
    expect(rule).toEqual({
      causal: true,
      start: undefined,
      end,
      prefix: undefined,
      queryBlocks: blocks,
      keyBlocks: blocks,
    });
  });
});
