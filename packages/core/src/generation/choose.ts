import { ConfigError } from '../errors';
import type { MultimodalModel } from '../model';
import { type GenerationInput, prepareInputs } from './inputs';

/** One of the given answers. */
export interface Choice {
  readonly answer: string;
  /** The sum of the log-probabilities of its tokens. */
  readonly logProbability: number;
}

/** Answers by their log-probability, the likeliest first. */
export async function chooseAnswer(
  model: MultimodalModel,
  input: GenerationInput,
  answers: readonly string[],
  signal?: AbortSignal,
): Promise<Choice[]> {
  if (answers.length === 0) {
    throw new ConfigError({ component: 'model.choose', expected: 'at least one answer', actual: 'none' });
  }
  const tokens = answers.map((answer) => [...model.processor.tokenizer.encode(answer)]);
  const prompt = await prepareInputs(model, [input], signal);
  try {
    const scores = await model.decoder.score(prompt.inputs, tokens);
    const choices = answers.map((answer, i) => ({ answer, logProbability: scores[i]! }));
    return choices.sort((a, b) => b.logProbability - a.logProbability);
  } finally {
    prompt.dispose();
  }
}
