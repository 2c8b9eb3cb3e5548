import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeBackend, startBackend } from '@mmllm/backends';
import type { MultimodalModel } from '@mmllm/core';
import { wordTokenizer } from '@mmllm/processors';
import { formatPolicyTable, type TrainingEvent } from '@mmllm/trainer';
import { type Choice, compose } from './composition';
import { colors, type Example, loadEasyVqa, shapes } from './easy-vqa';
import { type Evaluation, evaluate } from './evaluation';
import type { DemoOptions } from './options';
import type { Recipe } from './recipes';
import { report } from './report';
import { clock, percent, progressLine } from './terminal';
import { trainByStages } from './training';

export interface DemoRun extends Choice, Pick<DemoOptions, 'backend' | 'runs' | 'resume'> {
  /** Of the folder in `runs` for checkpoints, the log and pictures. */
  readonly name: string;
  readonly recipe: Recipe;
  /** First so many pictures of either split only. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

/** The main job: start a backend, read the data, compose, train by stages, answer, report. */
export async function demo(run: DemoRun): Promise<Evaluation> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  console.log(`backend: ${describeBackend(await startBackend({ backend: run.backend }))}`);
  const [training, test] = await Promise.all([
    loadEasyVqa('train', run.limit),
    loadEasyVqa('test', run.limit),
  ]);
  console.log(`data: easy-VQA, ${amount(training)} to learn from, ${amount(test)} to answer\n`);

  const tokenizer = wordTokenizer([...training.flatMap(({ questions }) => questions), vocabulary]);
  const model = await compose(run, run.recipe.sizes, tokenizer);
  try {
    console.log(`${model.describe()}\n`);
    const folder = await runFolder(run);
    await learn(model, training, run, folder);
    const trainedIn = clock(seconds());
    const evaluation = await answerAll(model, test, run.signal);
    console.log('');
    await report(evaluation, folder);
    const { overall } = evaluation;
    const right = `${percent(overall)} of ${overall.total.toLocaleString('en-US')} answers right`;
    console.log(`\n${right}; trained in ${trainedIn}, ${clock(seconds())} in all.`);
    return evaluation;
  } finally {
    model.dispose();
  }
}

/** Where this run's checkpoints, log and pictures go; what an earlier one left there goes, unless it is resumed. */
async function runFolder({ runs, name, resume }: DemoRun): Promise<string> {
  const folder = join(runs, name);
  if (!resume) await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}

async function learn(model: MultimodalModel, training: readonly Example[], run: DemoRun, folder: string) {
  const progress = trainingProgress(run.signal);
  try {
    await trainByStages(model, training, run.recipe, {
      seed: run.seed,
      checkpoints: join(folder, 'checkpoints'),
      log: join(folder, 'log.jsonl'),
      resume: run.resume,
      signal: run.signal,
      onEvent: progress.show,
    });
  } finally {
    progress.end();
  }
}

/** Words of captions and answers. */
export const vocabulary = ['a', 'shape', 'yes', 'no', ...colors, ...shapes].join(' ');

const amount = (examples: readonly Example[]): string => {
  const questions = examples.reduce((sum, example) => sum + example.questions.length, 0);
  return `${examples.length.toLocaleString('en-US')} pictures with ${questions.toLocaleString('en-US')} questions`;
};

async function answerAll(
  model: Parameters<typeof evaluate>[0],
  test: readonly Example[],
  signal?: AbortSignal,
) {
  const line = progressLine();
  const onProgress = (done: number, total: number) => line.update(`answering: ${done} of ${total} questions`);
  try {
    return await evaluate(model, test, { signal, onProgress });
  } finally {
    line.end();
  }
}

/** Shows the freeze table before each stage, and a progress line during it. */
function trainingProgress(signal?: AbortSignal) {
  let line: ReturnType<typeof progressLine> | undefined;
  const end = () => {
    line?.end();
    line = undefined;
  };
  const show = (event: TrainingEvent) => {
    if (event.type === 'stage') {
      end();
      console.log(`\nstage ${event.stage}, ${event.steps} steps\n${formatPolicyTable(event.policy)}\n`);
    }
    if (event.type === 'resume') console.log(`resuming ${event.stage} after step ${event.step}`);
    if (event.type === 'checkpoint' && signal?.aborted)
      console.log(`\nsaved after step ${event.step} of ${event.stage}`);
    if (event.type !== 'step') return;
    line ??= progressLine();
    const { stage, step, steps, loss, learningRate, tokensPerSecond, secondsLeft } = event;
    const speed = `${Math.round(tokensPerSecond).toLocaleString('en-US')} tokens/s`;
    line.update(
      `${stage} ${step}/${steps}  loss ${loss.toFixed(4)}  lr ${learningRate.toExponential(1)}  ${speed}  ${clock(secondsLeft)} left`,
    );
  };
  return { show, end };
}
