import { expectNoLeak } from '@mmllm/conformance';
import { composeModel, type Sample } from '@mmllm/core';
import { mm15 } from '@mmllm/decoders/mm15';
import { textAndImages } from '@mmllm/processors';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { train, trained } from '.';
import { tokenizer } from './testing/composed';
import { stepOf } from './testing/gradients';

const samples: Sample[] = [
  { prompt: 'is it red ?', answer: 'no , it is blue' },
  { prompt: 'which colour ?', answer: 'green' },
  { prompt: 'is it grey ? which colour is it ?', answer: 'yes' },
];

const compose = (coefficients: { balanceLoss: number; zLoss: number }) =>
  composeModel({
    decoder: mm15({
      vocabSize: tokenizer.vocabSize,
      hiddenSize: 16,
      numLayers: 4,
      numHeads: 2,
      intermediateSize: 16,
      initializerRange: 0.3,
      experts: { numExperts: 4, ...coefficients },
    }),
    processor: textAndImages({ tokenizer }),
  });

/** The first step of a stage. */
async function firstStep(
  coefficients: { balanceLoss: number; zLoss: number },
  settings: { batchSize?: number; accumulate?: number } = {},
) {
  const model = await compose(coefficients);
  const stage = {
    name: 'stage',
    policy: [['**', trained()]] as const,
    data: samples,
    steps: 1,
    batchSize: 3,
    ...settings,
  };
  const { last } = await train(model, { stages: [stage] });
  model.dispose();
  return last!;
}

describeBackends('losses of experts in training', () => {
  it('are reported by name, and count as their coefficients say', { timeout: 120_000 }, async () => {
    const alone = await firstStep({ balanceLoss: 0, zLoss: 0 });
    const { balance, z } = alone.auxiliaryLosses!;
    expect(Object.keys(alone.auxiliaryLosses!)).toEqual(['balance', 'z']);
    expect(balance).toBeGreaterThan(0);
    expect(z).toBeGreaterThan(0);
    const all = await firstStep({ balanceLoss: 0.5, zLoss: 0.25 });
    expect(all.auxiliaryLosses!.balance).toBeCloseTo(balance, 5);
    expect(all.loss).toBeCloseTo(alone.loss + 0.5 * balance + 0.25 * z, 4);
    expect(all.gradientNorm).not.toBeCloseTo(alone.gradientNorm, 3);
  });

  it('are means over the micro-batches of a step', { timeout: 120_000 }, async () => {
    const step = await firstStep({ balanceLoss: 0.5, zLoss: 0.25 }, { batchSize: 1, accumulate: 3 });
    const alone = await firstStep({ balanceLoss: 0, zLoss: 0 }, { batchSize: 1, accumulate: 3 });
    const { balance, z } = step.auxiliaryLosses!;
    expect(step.loss).toBeCloseTo(alone.loss + 0.5 * balance + 0.25 * z, 4);
  });

  it('come through gradient checkpointing to the bit, and through packing', {
    timeout: 120_000,
  }, async () => {
    const model = await compose({ balanceLoss: 0.5, zLoss: 0.25 });
    await expectNoLeak(async () => {
      const plain = await stepOf(model, samples);
      expect(await stepOf(model, samples, { gradientCheckpointing: true })).toEqual(plain);
      const packed = await stepOf(model, samples, { packing: { length: 32 } });
      expect(packed.loss).toBeCloseTo(plain.loss, 5);
      for (const [path, gradient] of Object.entries(plain.gradients)) {
        const off = gradient?.map((value, i) => Math.abs(value - packed.gradients[path]![i])) ?? [];
        expect(Math.max(...off), path).toBeLessThan(1e-5);
      }
    });
    model.dispose();
  });
});
