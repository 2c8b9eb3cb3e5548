import { fileURLToPath } from 'node:url';
import type { Picture } from '@mmllm/core';
import { decodePictures } from '@mmllm/processors';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';

export const colors = ['black', 'blue', 'brown', 'gray', 'green', 'red', 'teal', 'yellow'] as const;
export const shapes = ['circle', 'rectangle', 'triangle'] as const;

/** What the answered questions of a picture reveal about it. */
export interface Attributes {
  readonly color?: string;
  readonly shape?: string;
}

/** One picture of easy-VQA with its questions. */
export interface Example {
  readonly picture: Picture;
  readonly questions: readonly string[];
  readonly answers: readonly string[];
  /** Known from its own questions only. */
  readonly known: Attributes;
}

interface Row {
  image: { bytes: Uint8Array };
  question: string[];
  answer: string[];
}

/**
 * Reads a split of easy-VQA (Victor Zhou, MIT) and decodes its pictures, uint8[64, 64, 3].
 * @param limit first so many pictures only
 */
export async function loadEasyVqa(
  split: 'train' | 'test',
  limit = Number.POSITIVE_INFINITY,
): Promise<Example[]> {
  const path = fileURLToPath(new URL(`../data/${split}.parquet`, import.meta.url));
  const file = await asyncBufferFromFile(path);
  const rowEnd = Number.isFinite(limit) ? limit : undefined;
  const rows = (await parquetReadObjects({ file, rowEnd, utf8: false })) as unknown as Row[];
  const pictures = await decodePictures(rows.map(({ image }) => image.bytes));
  return rows.map(({ question, answer }, i) => ({
    picture: pictures[i],
    questions: question,
    answers: answer,
    known: attributes(question, answer),
  }));
}

/** What the answers say outright: the colour and the shape that are named, or confirmed with yes. */
export function attributes(questions: readonly string[], answers: readonly string[]): Attributes {
  const found: { color?: string; shape?: string } = {};
  questions.forEach((question, i) => {
    const answer = answers[i];
    if (answer === 'yes' || answer === 'no') {
      const negated = /\b(not|no)\b/.test(question);
      if ((answer === 'yes') === negated) return;
    }
    for (const word of [...question.replace('?', '').split(' '), answer]) {
      if ((colors as readonly string[]).includes(word)) found.color = word;
      if ((shapes as readonly string[]).includes(word)) found.shape = word;
    }
  });
  return found;
}

/** Groups for the report. */
export type QuestionType = 'color' | 'shape' | 'yes/no';

export function questionType(answer: string): QuestionType {
  if ((colors as readonly string[]).includes(answer)) return 'color';
  return (shapes as readonly string[]).includes(answer) ? 'shape' : 'yes/no';
}
