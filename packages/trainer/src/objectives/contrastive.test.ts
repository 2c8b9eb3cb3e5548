import { startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import type { MultimodalModel } from '@mmllm/core';
import { ClipModel, clip, clipText } from '@mmllm/vision-encoders/clip';
import { SiglipModel, siglip, siglipText } from '@mmllm/vision-encoders/siglip';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { FeatureCache, frozen, type TrainingStep, train, trained } from '..';
import { compose, pictures, tokenizer, tower } from '../testing/composed';
import { readAll } from '../testing/toy';
import { contrastive, type TwoTowers } from './contrastive';

beforeAll(() => startBackend({ backend: 'cpu' }));

const text = { vocabSize: tokenizer.vocabSize, maxLength: 8, hiddenSize: 8, numLayers: 1, numHeads: 2 };
const captions = pictures.map(({ picture, colour }) => ({ image: picture, caption: `it is ${colour}` }));

const kinds = {
  clip: () => ({
    encoder: clip(tower),
    towers: (vision: ReturnType<typeof clip>) => new ClipModel({ vision, text: clipText(text) }),
  }),
  siglip: () => ({
    encoder: siglip(tower),
    towers: (vision: ReturnType<typeof siglip>) => new SiglipModel({ vision, text: siglipText(text) }),
  }),
};

/** A composed model, and towers of which the image tower is its encoder. */
async function withTowers<T>(
  kind: keyof typeof kinds,
  use: (model: MultimodalModel, towers: TwoTowers) => Promise<T>,
): Promise<T> {
  const { encoder, towers: build } = kinds[kind]();
  const model = await compose(encoder);
  const towers = build(encoder);
  towers.initialize();
  try {
    return await use(model, towers);
  } finally {
    model.dispose();
    towers.dispose();
  }
}

/** The loss written out in float64. */
function expectedLoss(logits: number[][], kind: keyof typeof kinds): number {
  const same = (i: number, j: number) => captions[i].caption === captions[j].caption;
  const size = captions.length;
  if (kind === 'siglip') {
    const pairs = logits.flatMap((row, i) => row.map((z, j) => Math.log1p(Math.exp(same(i, j) ? -z : z))));
    return pairs.reduce((sum, loss) => sum + loss) / size;
  }
  const oneWay = (rows: number[][]) =>
    rows.reduce((sum, row, i) => {
      const total = Math.log(row.reduce((all, z) => all + Math.exp(z), 0));
      const right = row.filter((_, j) => same(i, j));
      return sum + right.reduce((all, z) => all + (total - z), 0) / right.length;
    }, 0) / size;
  return (oneWay(logits) + oneWay(logits[0].map((_, j) => logits.map((row) => row[j])))) / 2;
}

describe.each(['clip', 'siglip'] as const)('contrastive, %s', (kind) => {
  it('takes equal captions as right for each other', () =>
    withTowers(kind, async (model, towers) => {
      const context = { isFrozen: () => false, features: new FeatureCache(0) };
      const batch = await contrastive(towers, model.processor).prepare(captions, context);
      const loss = batch.loss();
      const images = await model.processor.prepareImages(pictures.map(({ picture }) => picture));
      const logits = tf.tidy(() => {
        const ids = captions.map(({ caption }) => tokenizer.encode(caption));
        const data = Int32Array.from(ids.flatMap((row) => [...row]));
        const texts = towers.textEmbeddings({ data, shape: [ids.length, ids[0].length] });
        return towers.logits(towers.imageEmbeddings(images), texts);
      });
      const expected = expectedLoss((await logits.array()) as number[][], kind);
      expect((await loss.data())[0]).toBeCloseTo(expected, 4);
      // Three words to each caption, four patches to each picture.
      expect(batch.tokens).toBe(captions.length * (3 + 4));
      batch.dispose();
      tf.dispose([loss, logits, images.kind === 'dense' ? images.pixels : images.patches]);
    }));

  it('trains the encoder in the model; the other towers are the objective’s', () =>
    withTowers(kind, async (model, towers) => {
      const before = await readAll(model);
      const stage = {
        name: 'contrastive',
        policy: [
          ['{encoder,objective}', trained()],
          ['**', frozen],
        ],
        objective: contrastive(towers, model.processor),
        data: captions,
        steps: 40,
        batchSize: 8,
        learningRate: 5e-3,
      } as const;
      const steps: TrainingStep[] = [];
      await expectNoLeak(async () => {
        for await (const step of train(model, { stages: [stage] })) steps.push(step);
      });
      expect(steps.at(-1)?.loss).toBeLessThan(0.8 * steps[0].loss);
      const after = await readAll(model);
      const changed = Object.keys(after).filter((path) => String(after[path]) !== String(before[path]));
      expect(changed.length).toBeGreaterThan(10);
      expect(changed.filter((path) => !path.startsWith('encoder.'))).toEqual([]);
    }));
});
