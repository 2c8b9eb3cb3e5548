import { join } from 'node:path';
import { formatTable } from '@mmllm/core';
import type { Evaluation } from './evaluation';
import { type Shown, terminalPicture, writeContactSheet } from './pictures';
import { percent } from './terminal';

/** Accuracy by question type, and a few pictures with question and answer, in the terminal and as a PNG. */
export async function report({ overall, byType, shown }: Evaluation, folder: string): Promise<void> {
  const rows = [...byType].map(([type, accuracy]) => [type, String(accuracy.total), percent(accuracy)]);
  console.log(
    formatTable([
      ['question type', 'questions', 'accuracy'],
      ...rows,
      ['all', String(overall.total), percent(overall)],
    ]),
  );
  for (const item of pick(shown, 4)) show(item);
  const sheet = join(folder, 'answers.png');
  await writeContactSheet(sheet, pick(shown, 16));
  console.log(`\nMore answers, as pictures: ${sheet}`);
}

/** Questions spread over the whole set. */
function pick(shown: readonly Shown[], count: number): Shown[] {
  const chosen = Math.min(count, shown.length);
  return Array.from({ length: chosen }, (_, i) => shown[Math.floor(((i + 0.5) * shown.length) / chosen)]);
}

function show({ picture, question, answer, expected }: Shown): void {
  console.log('');
  if (process.stdout.isTTY) for (const line of terminalPicture(picture)) console.log(line);
  console.log(`Q: ${question}\nA: ${answer}${answer === expected ? '' : `   (right: ${expected})`}`);
}
