import { ConfigError, FreezePolicyError, Module, ones, Parameter } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { type FreezePolicy, formatPolicyTable, frozen, resolvePolicy, trained } from '.';

class Layer extends Module {
  readonly weight = new Parameter([2, 3], { initializer: ones });
  readonly bias = new Parameter([3], { initializer: ones });
}

class Empty extends Module {}

class Model extends Module {
  readonly patches = new Empty();
  readonly encoder = new Layer();
  readonly projector = new Layer();
  readonly decoder = new Layer();
}

const resolve = (policy: FreezePolicy) =>
  resolvePolicy(new Model(), policy, { learningRate: 1e-3, weightDecay: 0.1 }, "stage 'a'.policy");
const failure = (policy: FreezePolicy) => {
  try {
    resolve(policy);
  } catch (error) {
    if (FreezePolicyError.isInstance(error)) return error;
    throw error;
  }
  throw new Error('the policy was accepted');
};

describe('resolvePolicy', () => {
  it('lets the first match win', () => {
    const { trained: learning } = resolve([
      ['encoder.bias', trained()],
      ['encoder', frozen],
      ['projector', trained({ learningRate: 0.5, learningRateScale: 0.1, weightDecay: 0.3 })],
      ['**', trained({ learningRateScale: 2 })],
    ]);
    expect(learning.map(({ path, learningRate, weightDecay }) => [path, learningRate, weightDecay])).toEqual([
      ['encoder.bias', 1e-3, 0],
      ['projector.weight', 0.05, 0.3],
      ['projector.bias', 0.05, 0],
      ['decoder.weight', 2e-3, 0.1],
      ['decoder.bias', 2e-3, 0],
    ]);
  });

  it('makes the table', () => {
    const { rows } = resolve([
      ['encoder', frozen],
      ['**.bias', trained({ learningRate: 0.5 })],
      ['**', trained()],
    ]);
    expect(rows).toEqual([
      { component: 'encoder', parameters: 9, trained: 0, learningRates: [] },
      { component: 'projector', parameters: 9, trained: 9, learningRates: [1e-3, 0.5] },
      { component: 'decoder', parameters: 9, trained: 9, learningRates: [1e-3, 0.5] },
    ]);
    expect(formatPolicyTable(rows).split('\n')).toEqual([
      'component  parameters  trained  learning rate',
      '─────────  ──────────  ───────  ─────────────',
      'encoder    9           frozen               –',
      'projector  9           9           0.001, 0.5',
      'decoder    9           9           0.001, 0.5',
    ]);
  });

  it('never trains what is measured, and does not count it', () => {
    class Measured extends Model {
      readonly statistics = new Parameter([4], { initializer: ones, trainable: false });
    }
    const defaults = { learningRate: 1e-3, weightDecay: 0 };
    const { trained: learning, rows } = resolvePolicy(new Measured(), [['**', trained()]], defaults);
    expect(learning.some(({ path }) => path === 'statistics')).toBe(false);
    expect(rows.find(({ component }) => component === 'statistics')).toMatchObject({
      parameters: 0,
      trained: 0,
    });
  });

  it('names parameters that no pattern matches', () => {
    const error = failure([['projector', trained()]]);
    expect(error.component).toBe("stage 'a'.policy");
    expect(error.actual).toBe('none for encoder.weight, encoder.bias, decoder.weight and 1 more');
  });

  it('refuses to train what is not held as float32, and leaves it frozen', async () => {
    const model = new Model();
    const format = {
      type: 'q8' as const,
      hold: () => {
        throw new Error('there are no values yet');
      },
    };
    await model.decoder.weight.hold(format);
    const defaults = { learningRate: 1e-3, weightDecay: 0 };
    expect(() => resolvePolicy(model, [['**', trained()]], defaults, 'policy')).toThrow(
      new FreezePolicyError({
        component: 'policy',
        expected: 'trained parameters to be held as float32',
        actual: 'decoder.weight, held as q8',
        hint: "Freeze it, or go back with holdWeights(module, 'float32').",
      }),
    );
    const { trained: learning } = resolvePolicy(
      model,
      [
        ['decoder.weight', frozen],
        ['**', trained()],
      ],
      defaults,
    );
    expect(learning).toHaveLength(5);
  });

  it('names a pattern that matches nothing', () => {
    expect(
      failure([
        ['**', trained()],
        ['fusion', frozen],
      ]).actual,
    ).toBe("'fusion', which matches none");
  });

  it('accepts a pattern for a part that has no parameters', () => {
    const { rows } = resolve([
      ['patches', frozen],
      ['**', trained()],
    ]);
    expect(rows.map(({ component }) => component)).toEqual(['encoder', 'projector', 'decoder']);
  });

  it('names a pattern that comes too late', () => {
    const error = failure([
      ['encoder', frozen],
      ['encoder.bias', trained()],
      ['**', trained()],
    ]);
    expect(error.actual).toBe("'encoder.bias', after patterns that match all of its parameters");
  });

  it.each(
    (['learningRate', 'learningRateScale', 'weightDecay'] as const).flatMap((key) =>
      [Number.NaN, -0.1, Number.POSITIVE_INFINITY].map((value) => [key, value] as const),
    ),
  )('refuses %s %d', (key, value) => {
    const policy = () => resolve([['**', trained({ [key]: value })]]);
    expect(policy).toThrow(ConfigError);
    expect(policy).toThrow(`stage 'a'.policy '**'.${key}: expected a number from 0 on, got ${value}`);
  });

  it('refuses to train nothing', () => {
    expect(failure([['**', frozen]]).expected).toBe('something to train');
  });
});
