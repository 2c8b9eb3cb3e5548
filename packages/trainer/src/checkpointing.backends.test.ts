import { expectNoLeak } from '@mmllm/conformance';
import { composeModel } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { holdWeights } from '@mmllm/nn';
import { textAndImages } from '@mmllm/processors';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it, vi } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { compose, questions, tokenizer } from './testing/composed';
import { stepOf } from './testing/gradients';

const samples = questions.slice(0, 6);

/** Most bytes after any kernel, beyond those from before. */
async function peakOf<T>(run: () => Promise<T>): Promise<{ result: T; peak: number }> {
  const engine = tf.engine();
  const runKernel = engine.runKernel.bind(engine);
  const before = tf.memory().numBytes;
  let peak = 0;
  const spy = vi.spyOn(engine, 'runKernel').mockImplementation((name, inputs, attrs) => {
    const outputs = runKernel(name, inputs, attrs);
    peak = Math.max(peak, tf.memory().numBytes - before);
    return outputs as never;
  });
  try {
    const result = await run();
    return { result, peak };
  } finally {
    spy.mockRestore();
  }
}

const policies: Record<string, (path: string) => boolean> = {
  everything: () => true,
  'the projector': (path) => path.startsWith('projector.'),
  'one matrix of the first layer': (path) => path === 'decoder.layers.0.mlp.upProj.weight',
};

describeBackends('gradient checkpointing', () => {
  it.each(['unified', 'hybrid'] as const)(
    'gives the same bits of loss and gradients, %s',
    { timeout: 120_000 },
    async (fusion) => {
      const model = await compose('clip', fusion);
      for (const trains of Object.values(policies)) {
        await expectNoLeak(async () => {
          const plain = await stepOf(model, samples, { trains });
          const saving = await stepOf(model, samples, { trains, gradientCheckpointing: true });
          expect(Object.keys(plain.gradients).length).toBeGreaterThan(0);
          expect(saving).toEqual(plain);
        });
      }
      model.dispose();
    },
  );

  it('takes less memory', { timeout: 120_000 }, async () => {
    const model = await composeModel({
      decoder: llama({
        vocabSize: tokenizer.vocabSize,
        hiddenSize: 16,
        numLayers: 8,
        numHeads: 2,
        intermediateSize: 64,
      }),
      processor: textAndImages({ tokenizer }),
    });
    const texts = Array.from({ length: 8 }, () => ({
      prompt: 'is it red ?',
      answer: Array(28).fill('no').join(' '),
    }));
    // The gradients themselves, and the weights of one layer, are no part of what is saved.
    const trains = (path: string) => path === 'decoder.layers.0.attentionNorm.weight';
    const plain = await peakOf(() => stepOf(model, texts, { trains }));
    const saving = await peakOf(() => stepOf(model, texts, { trains, gradientCheckpointing: true }));
    expect(saving.result).toEqual(plain.result);
    expect(Object.keys(plain.result.gradients)).toHaveLength(1);
    expect(saving.peak).toBeLessThan(0.4 * plain.peak);
    model.dispose();
  });

  it('lets gradients through held weights', { timeout: 120_000 }, async () => {
    const model = await compose();
    await holdWeights(model.decoder, 'q8');
    const plain = await stepOf(model, samples);
    const saving = await stepOf(model, samples, { gradientCheckpointing: true });
    expect(saving).toEqual(plain);
    expect(plain.gradients['projector.layers.0.weight']?.some((value) => value !== 0)).toBe(true);
    model.dispose();
  });
});
