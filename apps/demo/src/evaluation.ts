import type { MultimodalModel } from '@mmllm/core';
import { type Example, type QuestionType, questionType } from './easy-vqa';
import type { Shown } from './pictures';

export interface Accuracy {
  readonly right: number;
  readonly total: number;
}

export interface Evaluation {
  readonly overall: Accuracy;
  readonly byType: ReadonlyMap<QuestionType, Accuracy>;
  /** Every question with its answer, in order. */
  readonly shown: readonly Shown[];
}

export interface EvaluationOptions {
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Answers every question of the examples, greedily through the KV cache, and compares whole answers. */
export async function evaluate(
  model: MultimodalModel,
  examples: readonly Example[],
  { batchSize = 256, signal, onProgress }: EvaluationOptions = {},
): Promise<Evaluation> {
  const asked = examples.flatMap(({ picture, questions, answers }) =>
    questions.map((question, i) => ({ picture, question, expected: answers[i] })),
  );
  const shown: Shown[] = [];
  for (let start = 0; start < asked.length; start += batchSize) {
    const batch = asked.slice(start, start + batchSize);
    const samples = batch.map(({ picture, question }) => ({ prompt: prompt(question), images: [picture] }));
    const answers = await model.generateAll(samples, { maxNewTokens: 4, signal });
    shown.push(...batch.map((item, i) => ({ ...item, answer: answers[i].text.trim() })));
    onProgress?.(shown.length, asked.length);
  }
  return { shown, ...summarize(shown) };
}

/** The text of a question about one picture. */
export const prompt = (question: string): string => `<image> ${question}`;

function summarize(shown: readonly Shown[]): Pick<Evaluation, 'overall' | 'byType'> {
  const byType = new Map<QuestionType, Accuracy>();
  let right = 0;
  for (const { answer, expected } of shown) {
    const type = questionType(expected);
    const before = byType.get(type) ?? { right: 0, total: 0 };
    const correct = answer === expected ? 1 : 0;
    byType.set(type, { right: before.right + correct, total: before.total + 1 });
    right += correct;
  }
  return { overall: { right, total: shown.length }, byType };
}
