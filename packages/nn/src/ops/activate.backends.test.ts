import { assertTensorsClose } from '@mmllm/conformance';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { activate, gated } from './activate';
import { ACTIVATIONS, type Activation } from './activations';
import { againstFloat64, randomHost, upload } from './testing/float64';

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** erf by its Taylor series, exact to 1e-13 for |x| ≤ 4. */
function erf(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; n < 100; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const formulas: Record<Activation, (x: number) => number> = {
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  quick_gelu: (x) => x * sigmoid(1.702 * x),
  silu: (x) => x * sigmoid(x),
  relu: (x) => Math.max(0, x),
  relu2: (x) => Math.max(0, x) ** 2,
  tanh: Math.tanh,
  sigmoid,
};

describeBackends('activate', () => {
  it.each(ACTIVATIONS)('%s is its formula, with its gradient', async (kind) => {
    const pairs = await againstFloat64(
      (x) => activate(x!, kind),
      (x) => ({ shape: [3, 1, 7], data: x!.map(formulas[kind]) }),
      [randomHost([3, 1, 7], 4, 5)],
    );
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: 2e-6, name });
    }
  });

  it.each(ACTIVATIONS)('%s holds far from zero', async (kind) => {
    const far = [-60, -20, -9, -1e-3, 1e-3, 9, 20, 60];
    const pairs = await againstFloat64(
      (x) => activate(x!, kind),
      (x) => ({ shape: [far.length], data: x!.map(formulas[kind]) }),
      [{ shape: [far.length], data: Float32Array.from(far) }],
    );
    for (const { actual, expected, name } of pairs) {
      // relu's corner lies within the steps of the differences at ±1e-3.
      if (kind.startsWith('relu') && name !== 'output') continue;
      await assertTensorsClose(actual, expected, { tolerance: 5e-6, name });
    }
  });

  it.each(ACTIVATIONS)('gates with %s, with both gradients', async (kind) => {
    const pairs = await againstFloat64(
      (gate, up) => gated(gate!, up!, kind),
      (gate, up) => ({ shape: [2, 5], data: gate!.map((x, i) => formulas[kind](x) * up![i]!) }),
      [randomHost([2, 5], 5, 3), randomHost([2, 5], 6)],
    );
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: 2e-6, name });
    }
  });

  it('refuses a gate of another shape', () => {
    const [gate, up] = [upload(randomHost([2, 3], 1)), upload(randomHost([3, 2], 2))];
    expect(() => gated(gate, up, 'silu')).toThrow('gated: expected gate and up of one shape');
    gate.dispose();
    up.dispose();
  });
});
