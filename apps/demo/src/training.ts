import type { MultimodalModel, Sample } from '@mmllm/core';
import {
  augmented,
  contrastive,
  disposeExcept,
  type FreezePolicy,
  frozen,
  type LanguageStage,
  type ObjectiveStage,
  type TrainOptions,
  train,
  trained,
} from '@mmllm/trainer';
import { type Captioned, captionable, captioned, describes } from './captions';
import { twoTowers } from './composition';
import type { Example } from './easy-vqa';
import { prompt } from './evaluation';
import type { Recipe } from './recipes';

/** Every question of every picture as a training sample. */
export function questions(examples: readonly Example[]): Sample[] {
  return examples.flatMap(({ picture, questions, answers }) =>
    questions.map((question, i) => ({ prompt: prompt(question), images: [picture], answer: answers[i] })),
  );
}

/**
 * The published recipe's shape, each stage with its own freeze policy:
 * 1. `contrastive`: the encoder learns with a text tower, from captions. Raw patches have no tower and skip it.
 * 2. `align`: only what connects encoder and decoder learns.
 * 3. `instruct`: all but the encoder learns to answer.
 */
export async function trainByStages(
  model: MultimodalModel,
  examples: readonly Example[],
  recipe: Recipe,
  options: Omit<TrainOptions, 'stages'>,
): Promise<void> {
  const policy = (...learning: readonly string[]): FreezePolicy =>
    ['encoder', 'projector', 'fusion', 'decoder'].map((part) => [
      part,
      learning.includes(part) ? trained() : frozen,
    ]);
  const data = questions(examples);
  const align: LanguageStage = {
    name: 'align',
    policy: policy('projector', 'fusion'),
    data,
    ...recipe.align,
  };
  const instruct: LanguageStage = {
    name: 'instruct',
    policy: policy('projector', 'fusion', 'decoder'),
    data,
    ...recipe.instruct,
  };
  const towers = twoTowers(model, recipe.sizes);
  if (!towers) {
    await train(model, { ...options, stages: [align, instruct] });
    return;
  }
  const seen: ObjectiveStage<Captioned> = {
    name: 'contrastive',
    policy: [...policy('encoder'), ['objective', trained()]],
    objective: contrastive(towers, model.processor, {
      describes: ({ known }, caption) => describes(caption, known),
    }),
    data: augmented(captionable(examples), captioned),
    ...recipe.contrastive,
  };
  try {
    await train(model, { ...options, stages: [seen, align, instruct] });
  } finally {
    // The text tower is needed no longer; the encoder is the model's.
    disposeExcept(towers, model);
  }
}
