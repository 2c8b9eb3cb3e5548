import { startBackend } from '@mmllm/backends';
import { composeModel, disposeImages, type MultimodalModel, type Sample } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { crossAttention } from '@mmllm/fusion-cross-attn';
import { unified } from '@mmllm/fusion-unified';
import { holdWeights } from '@mmllm/nn';
import { textAndImages, wordTokenizer } from '@mmllm/processors';
import { mlp } from '@mmllm/projectors';
import { type FreezePolicy, frozen, train, trained } from '@mmllm/trainer';
import { siglip } from '@mmllm/vision-encoders/siglip';
import { beforeAll, describe, expect, it } from 'vitest';
import { measurePeaks } from '../testing/measure';
import { type PlanOptions, planModel } from '.';

const words = Array.from({ length: 500 }, (_, i) => `w${i}`);
const tokenizer = wordTokenizer([words.join(' ')]);
const imageTokenId = tokenizer.tokenId('<image>')!;

const decoder = () =>
  llama({
    vocabSize: tokenizer.vocabSize,
    hiddenSize: 64,
    numLayers: 4,
    numHeads: 4,
    numKeyValueHeads: 2,
    intermediateSize: 160,
    maxLength: 128,
  });
const encoder = () =>
  siglip({ imageSize: 32, patchSize: 4, hiddenSize: 48, numLayers: 3, numHeads: 4, intermediateSize: 96 });
const processor = textAndImages({ tokenizer });
const layers = { every: 2, numHeads: 4, intermediateSize: 160 };

const models = {
  llama: (shapeOnly: boolean) => composeModel({ decoder: decoder(), processor }, { shapeOnly }),
  llava: (shapeOnly: boolean) =>
    composeModel(
      { encoder: encoder(), projector: mlp(), fusion: unified(), decoder: decoder(), processor },
      { shapeOnly },
    ),
  'cross-attention': (shapeOnly: boolean) =>
    composeModel(
      { encoder: encoder(), projector: mlp(), fusion: crossAttention(layers), decoder: decoder(), processor },
      { shapeOnly },
    ),
} satisfies Record<string, (shapeOnly: boolean) => Promise<MultimodalModel>>;

/** Samples of a word, a picture for a model that sees, and an answer. */
function samplesOf(model: MultimodalModel, { batch, answer }: { batch: number; answer: number }): Sample[] {
  return Array.from({ length: batch }, (_, i) => ({
    prompt: model.encoder ? 'w1 <image> w2 w3' : 'w1 w2 w3',
    images: model.encoder ? [{ data: new Uint8Array(32 * 32 * 3).fill(i), width: 32, height: 32 }] : [],
    // The token that ends it is the last one.
    answer: words.slice(0, answer - 1).join(' '),
  }));
}

const policies = {
  all: [['**', trained()]],
  'encoder frozen': [
    ['encoder', frozen],
    ['**', trained()],
  ],
  'projector alone': [
    ['projector', trained()],
    ['**', frozen],
  ],
} satisfies Record<string, FreezePolicy>;

describe('a plan on wasm', () => {
  beforeAll(async () => {
    await startBackend({ backend: 'wasm' });
  });

  it.each([
    ['llama', 'all', {}],
    ['llama', 'all', { gradientCheckpointing: true }],
    ['llava', 'encoder frozen', {}],
    ['llava', 'projector alone', {}],
    ['llava', 'projector alone', { dtype: 'q8' }],
    ['llava', 'all', {}],
    ['cross-attention', 'encoder frozen', {}],
    ['cross-attention', 'encoder frozen', { gradientCheckpointing: true }],
  ] as const)('foretells the peak of a step of %s, %s, %o', async (name, stage, options) => {
    const sizes = { batch: 6, answer: 30 };
    const policy: FreezePolicy = policies[stage];
    const { dtype = 'float32', gradientCheckpointing } = options as PlanOptions;
    let length = 0;
    const measured = await measurePeaks(async ({ reset }) => {
      const model = await models[name](false);
      if (dtype !== 'float32') {
        await holdWeights(model, (path) => (path.startsWith('projector') ? 'float32' : dtype));
      }
      const data = samplesOf(model, sizes);
      const inputs = await model.processor.process(data, { padding: 'right' });
      length = inputs.ids.shape[1];
      if (inputs.images) disposeImages(inputs.images);
      reset();
      const steps = { name: 'a', policy, data, steps: 1, batchSize: sizes.batch, gradientCheckpointing };
      await train(model, { stages: [steps], featureCacheBytes: 0 });
      model.dispose();
    });
    const source = { policy: 'test', learningRate: 'test', batchSize: 'test' };
    const plan = await planModel(
      {
        model: await models[name](true),
        text: { imageTokenId },
        stages: [{ name: stage, policy, sources: source }],
      },
      { stage, length, ...sizes, ...options },
    );
    // To the byte: it is the same code.
    expect(plan.peak.bytes).toBe(measured.bytes);
    expect(plan.peak.numBytes / measured.numBytes).toBeCloseTo(1, 1);
  });

  it.each([
    ['llama', 'float32'],
    ['llava', 'float32'],
    ['cross-attention', 'float32'],
    ['llama', 'bfloat16'],
    ['llava', 'q8'],
    ['llama', 'q4'],
    ['cross-attention', 'q4_1'],
  ] as const)('foretells the peak and the cache of an answer of %s in %s', async (name, dtype) => {
    let length = 0;
    const measured = await measurePeaks(async ({ reset, now }) => {
      const model = await models[name](false);
      await holdWeights(model, dtype);
      const inputs = await model.processor.process(samplesOf(model, { batch: 3, answer: 40 }), {
        padding: 'left',
      });
      length = inputs.ids.shape[1] + 1;
      reset();
      const fused = model.fuse(inputs);
      if (inputs.images) disposeImages(inputs.images);
      const before = now();
      let cache = 0;
      for await (const _ of model.decoder.generate(fused, { maxNewTokens: 1 })) cache = now() - before;
      fused.embeddings.dispose();
      fused.dispose?.();
      model.dispose();
      return cache;
    });
    const plan = await planModel(
      { model: await models[name](true), text: { imageTokenId } },
      { stage: 'inference', batch: 3, length, dtype },
    );
    expect(plan.peak.bytes).toBe(measured.bytes);
    expect(plan.kvCache).toBe(measured.result);
  });
});
