import { startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import { Module, type Parameter } from '@mmllm/core';
import { SiglipModel, siglip, siglipText } from '@mmllm/vision-encoders/siglip';
import { beforeAll, expect, it } from 'vitest';
import { contrastive, FeatureCache, languageModelling, type Objective } from '.';
import { nonFiniteError } from './finite';
import { compose, type fusions, pictures, questions, tokenizer, tower } from './testing/composed';

beforeAll(() => startBackend({ backend: 'cpu' }));

class Nothing extends Module {}

const plant = (parameter: Parameter) => parameter.assign(new Float32Array(parameter.size).fill(Number.NaN));

/** Where a NaN begins, by the outputs of a batch alone. */
async function origin<S>(objective: Objective<S>, samples: readonly S[], frozen = false): Promise<string> {
  const context = { isFrozen: () => frozen, features: new FeatureCache(1e6) };
  try {
    const { actual } = await nonFiniteError({
      where: 'here',
      loss: Number.NaN,
      norm: Number.NaN,
      parameters: new Nothing(),
      trained: [],
      gradients: [],
      async *batches() {
        yield await objective.prepare(samples, context);
      },
    });
    return actual.split('beginning in ')[1];
  } finally {
    context.features.dispose();
  }
}

const planted: [keyof typeof fusions, pattern: RegExp, origin: string][] = [
  ['unified', /^encoder.*weight$/, 'encoder'],
  ['unified', /^projector.*weight$/, 'projector'],
  ['unified', /^decoder\.layers\.0\..*weight$/, 'decoder'],
  ['unified', /^decoder\.norm/, 'decoder'],
  ['unified', /^$/, 'the sum'],
  ['cross-attention', /^encoder.*weight$/, 'encoder'],
  ['cross-attention', /^projector.*weight$/, 'projector'],
  ['cross-attention', /^fusion.*Gate$/, 'fusion'],
  ['cross-attention', /^decoder\.layers\.0\..*weight$/, 'decoder'],
  ['cross-attention', /^decoder\.norm/, 'decoder'],
  ['hybrid', /^fusion.*Gate$/, 'fusion'],
];

it.each(planted)('languageModelling, %s: a NaN in %s is blamed on %s', async (fusion, pattern, expected) => {
  const model = await compose('siglip', fusion);
  try {
    const found = [...model.namedParameters()].find(([path]) => pattern.test(path));
    expect(found === undefined).toBe(expected === 'the sum');
    if (found) plant(found[1]);
    for (const frozen of [false, true]) {
      const seen = frozen && /encoder|projector/.test(expected) ? 'encoder or projector' : expected;
      await origin(languageModelling(model), questions, frozen);
      await expectNoLeak(async () => {
        expect(await origin(languageModelling(model), questions, frozen)).toBe(seen);
      });
    }
  } finally {
    model.dispose();
  }
});

it.each([
  [/^vision.*weight$/, 'the image tower'],
  [/^text.*weight$/, 'the text tower'],
  [/^logitScale/, 'the loss'],
])('contrastive: a NaN in %s is blamed on %s', async (pattern, expected) => {
  const encoder = siglip(tower);
  const model = await compose(encoder);
  const text = { vocabSize: tokenizer.vocabSize, maxLength: 8, hiddenSize: 8, numLayers: 1, numHeads: 2 };
  const towers = new SiglipModel({ vision: encoder, text: siglipText(text) });
  towers.initialize();
  const captions = pictures.map(({ picture, colour }) => ({ image: picture, caption: `it is ${colour}` }));
  const objective = contrastive(towers, model.processor);
  try {
    plant([...towers.namedParameters()].find(([path]) => pattern.test(path))![1]);
    await origin(objective, captions);
    await expectNoLeak(async () => {
      expect(await origin(objective, captions)).toBe(expected);
    });
  } finally {
    model.dispose();
    towers.dispose();
  }
});
