import { startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import { ConfigError, disposeImages, type MultimodalModel } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import {
  FeatureCache,
  type FreezePolicy,
  frozen,
  languageModelling,
  type TrainOptions,
  train,
  trained,
} from '..';
import { augmented } from '../data';
import { compose, encoders, fusions, questions } from '../testing/composed';
import { readAll } from '../testing/toy';

beforeAll(() => startBackend({ backend: 'cpu' }));

const projectorOnly: FreezePolicy = [
  ['projector', trained()],
  ['**', frozen],
];
const decoderOnly: FreezePolicy = [
  ['{decoder,fusion}', trained()],
  ['**', frozen],
];

/** Every picture is seen four times. */
const size = { epochs: 2, batchSize: 8 };

/** Losses and weights of a stage of two epochs. */
async function run(
  model: MultimodalModel,
  policy: FreezePolicy,
  options: Partial<TrainOptions> & { data?: TrainOptions<[unknown]>['stages'][0]['data'] } = {},
) {
  const losses: number[] = [];
  const { data = questions, ...rest } = options;
  const stage = { name: 'stage', policy, data: data as typeof questions, ...size };
  for await (const { loss } of train(model, { ...rest, stages: [stage] })) losses.push(loss);
  return { losses, weights: await readAll(model) };
}

async function withModel<T>(
  use: (model: MultimodalModel) => Promise<T>,
  ...parts: Parameters<typeof compose>
): Promise<T> {
  const model = await compose(...parts);
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

describe('languageModelling', () => {
  it('is the cross-entropy of the answers, which nothing else changes', () =>
    withModel(async (model) => {
      const context = { isFrozen: () => false, features: new FeatureCache(0) };
      const batch = await languageModelling(model).prepare(questions, context);
      const inputs = await model.processor.process(questions, { padding: 'right' });
      const loss = batch.loss();
      const logits = model.forward(inputs);
      const values = await logits.data<'float32'>();
      const vocabSize = logits.shape[2];
      let sum = 0;
      let count = 0;
      inputs.labels?.forEach((label, row) => {
        if (label < 0) return;
        const scores = values.subarray(row * vocabSize, (row + 1) * vocabSize);
        const total = scores.reduce((all, score) => all + Math.exp(score), 0);
        sum += Math.log(total) - scores[label];
        count++;
      });
      expect(count).toBeGreaterThan(questions.length);
      expect((await loss.data())[0]).toBeCloseTo(sum / count, 5);
      expect(batch.tokens).toBe(inputs.end?.reduce((all, end) => all + end, 0));
      batch.dispose();
      if (inputs.images) disposeImages(inputs.images);
      tf.dispose([loss, logits]);
    }));

  it('takes micro-batches with unequal answers as one large batch', async () => {
    const firstStep = (size: { batchSize: number; accumulate: number }) =>
      withModel(async (model) => {
        const stage = {
          name: 'stage',
          policy: [['**', trained()]],
          data: questions,
          steps: 1,
          ...size,
        } as const;
        const { last } = await train(model, { stages: [stage] });
        return last!;
      });
    const whole = await firstStep({ batchSize: 8, accumulate: 1 });
    const parts = await firstStep({ batchSize: 1, accumulate: 8 });
    expect(parts.loss).toBeCloseTo(whole.loss, 5);
    expect(parts.gradientNorm).toBeCloseTo(whole.gradientNorm, 5);
  });

  it('refuses samples without an answer', () =>
    withModel(async (model) => {
      await run(model, projectorOnly);
      const data = questions.map(({ answer: _, ...question }) => question);
      await expectNoLeak(() => expect(run(model, projectorOnly, { data })).rejects.toThrow(ConfigError));
    }));
});

describe('features of frozen parts', () => {
  const everything = Object.keys(encoders).flatMap((encoder) =>
    Object.keys(fusions).map((fusion) => [encoder, fusion] as Parameters<typeof compose>),
  );

  it.each(everything)('%s, %s: kept or not, the losses and weights are the same bits', async (...parts) => {
    for (const policy of [projectorOnly, decoderOnly]) {
      const kept = await withModel((model) => run(model, policy), ...parts);
      const made = await withModel((model) => run(model, policy, { featureCacheBytes: 0 }), ...parts);
      // Room for three pictures of four rows.
      const some = await withModel(
        (model) => run(model, policy, { featureCacheBytes: 3 * 4 * 4 * 48 }),
        ...parts,
      );
      expect(made).toEqual(kept);
      expect(some).toEqual(kept);
    }
  });

  it('are what the model computes inside the gradient', async () => {
    const outside = await withModel((model) => run(model, projectorOnly));
    const inside = await withModel((model) => {
      const other = languageModelling(model);
      const objective: typeof other = {
        ...other,
        prepare: (samples, context) => other.prepare(samples, { ...context, isFrozen: () => false }),
      };
      const stage = {
        name: 'stage',
        policy: projectorOnly,
        data: questions,
        ...size,
        objective,
      };
      return (async () => {
        const losses: number[] = [];
        for await (const { loss } of train(model, { stages: [stage] })) losses.push(loss);
        return { losses, weights: await readAll(model) };
      })();
    });
    expect(inside).toEqual(outside);
  });

  const encoded = (policy: FreezePolicy, options?: Parameters<typeof run>[2]) =>
    withModel(async (model) => {
      const encode = vi.spyOn(model.encoder!, 'encode');
      const prepare = vi.spyOn(model.processor, 'prepareImages');
      await run(model, policy, options);
      const pictures = encode.mock.calls.map(([{ images }]) => images.length);
      return {
        pictures: pictures.reduce((sum, count) => sum + count, 0),
        prepared: prepare.mock.calls.length,
      };
    });

  it('are computed once for each picture, which is decoded once as well', async () => {
    const { pictures } = await encoded(projectorOnly);
    // Two questions ask about each of the eight pictures; a batch may hold both before either is kept.
    expect(pictures).toBeLessThanOrEqual(12);
    expect(await encoded(decoderOnly)).toEqual({ pictures, prepared: expect.any(Number) });
  });

  it('are computed for every sample where the encoder learns', async () => {
    expect((await encoded([['**', trained()]])).pictures).toBe(2 * questions.length);
  });

  it('are not kept where samples are augmented', async () => {
    const data = augmented(questions, (question) => question);
    expect((await encoded(projectorOnly, { data })).pictures).toBe(2 * questions.length);
  });

  it('are freed at the end of the stage', () =>
    withModel(async (model) => {
      await run(model, projectorOnly);
      await expectNoLeak(() => run(model, projectorOnly));
      await expectNoLeak(() => run(model, decoderOnly));
      await expectNoLeak(() => run(model, [['**', trained()]]));
    }));
});
