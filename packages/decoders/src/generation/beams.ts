import { ConfigError, type Decoder, type DecoderInputs, type GeneratedTokens } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { type FilledOptions, tokenBudget } from './options';
import { LogitsPipeline } from './pipeline';
import { PromptRun } from './prompt-run';

/** Stands for a score that cannot win, as transformers has it. */
const IMPOSSIBLE = -1e9;

interface Beam {
  readonly tokens: readonly number[];
  /** Sum of log-probabilities; of a finished one divided by its length to the power of the length penalty. */
  readonly score: number;
  readonly isFinished: boolean;
}

interface Candidate {
  /** Among the running beams of the sample. */
  readonly beam: number;
  readonly token: number;
  readonly score: number;
}

type BeamOptions = Pick<FilledOptions, 'numBeams' | 'lengthPenalty' | 'earlyStopping' | 'stopIds'> & {
  readonly maxNewTokens: number;
};

/** The beams of one sample, by the rules of transformers' `_beam_search`. */
class SampleBeams {
  running: Beam[];
  finished: Beam[];
  /** Which running beam each of the new ones came from. */
  parents: number[] = [];
  #canImprove = true;
  #allStopped = false;

  constructor(private readonly options: BeamOptions) {
    const { numBeams } = options;
    const empty = (_: unknown, i: number) => ({
      tokens: [],
      score: i === 0 ? 0 : IMPOSSIBLE,
      isFinished: false,
    });
    this.running = Array.from({ length: numBeams }, empty);
    this.finished = Array.from({ length: numBeams }, () => ({ ...empty(0, 1) }));
  }

  get done(): boolean {
    const isFull = this.finished.every(({ isFinished }) => isFinished);
    return !this.#canImprove || (isFull && this.options.earlyStopping === true) || this.#allStopped;
  }

  /** Takes the likeliest continuations of all running beams, best first. */
  advance(candidates: readonly Candidate[]): void {
    const { numBeams, stopIds, maxNewTokens, lengthPenalty } = this.options;
    const length = this.running[0].tokens.length + 1;
    const grown = candidates.map(({ beam, token, score }, place) => ({
      parent: beam,
      tokens: [...this.running[beam].tokens, token],
      score,
      stops: stopIds.includes(token) || length >= maxNewTokens,
      place,
    }));
    this.#allStopped = grown.every(({ stops }) => stops);
    this.#finish(
      grown.map(({ tokens, score, stops, place }) => {
        const isFinished = stops && place < numBeams;
        return { tokens, score: score / length ** lengthPenalty + (isFinished ? 0 : IMPOSSIBLE), isFinished };
      }),
    );
    const going = best(
      grown.map((beam) => ({ ...beam, score: beam.score + (beam.stops ? IMPOSSIBLE : 0) })),
      numBeams,
    );
    this.running = going.map(({ tokens, score }) => ({ tokens, score, isFinished: false }));
    this.parents = going.map(({ parent }) => parent);
    this.#checkImprovement(length);
  }

  /** Only what is better than the worst of the finished ones gets in, and nothing once no better can come. */
  #finish(beams: readonly Beam[]): void {
    const { numBeams, earlyStopping } = this.options;
    const isFull = this.finished.every(({ isFinished }) => isFinished);
    const closed = (isFull && earlyStopping === true) || !this.#canImprove;
    const offered = beams.map((beam) => (closed ? { ...beam, score: beam.score + IMPOSSIBLE } : beam));
    this.finished = best([...this.finished, ...offered], numBeams);
  }

  #checkImprovement(length: number): void {
    const { lengthPenalty, earlyStopping, maxNewTokens } = this.options;
    const reach = earlyStopping === 'never' && lengthPenalty > 0 ? maxNewTokens : length;
    const possible = this.running[0].score / reach ** lengthPenalty;
    const worst = Math.min(...this.finished.map(({ score }) => score));
    const improves = this.finished.some(({ isFinished }) => possible > (isFinished ? worst : IMPOSSIBLE));
    this.#canImprove &&= improves;
  }
}

/** The `count` with the highest scores, best first; of equal ones the first. */
function best<T extends { readonly score: number }>(beams: readonly T[], count: number): T[] {
  return [...beams].sort((a, b) => b.score - a.score).slice(0, count);
}

/**
 * The likeliest sequences by beam search: every prompt keeps `numBeams` candidates a step, and the best that has ended
 * is the answer. The rules are those of transformers; the prompt runs once for all beams. All tokens come at the end.
 * @throws ConfigError beside sampling, guidance or a memory.
 */
export async function* searchBeams(
  decoder: Decoder,
  inputs: DecoderInputs,
  options: FilledOptions,
): AsyncGenerator<GeneratedTokens, void> {
  const { numBeams, signal, temperature, guidance, memory, cacheType: type } = options;
  if (temperature !== 0 || guidance || memory) {
    throw new ConfigError({
      component: 'generate.numBeams',
      expected: '1 with sampling, guidance or a memory',
      actual: `${numBeams}`,
    });
  }
  const [batch, length] = inputs.embeddings.shape;
  const maxNewTokens = tokenBudget(decoder, length, options.maxNewTokens);
  const samples = Array.from({ length: batch }, () => new SampleBeams({ ...options, maxNewTokens }));
  const kept = Math.max(2, 1 + options.stopIds.length) * numBeams;
  const run = new PromptRun(decoder, inputs, { capacity: length + maxNewTokens - 1, type });
  const pipeline = new LogitsPipeline(options, inputs, decoder.vocabSize, numBeams);
  try {
    let last: Int32Array | undefined;
    while (samples.some((sample) => !sample.done)) {
      signal?.throwIfAborted();
      const scores = samples.map(({ running }) => running.map(({ score }) => score));
      const found = await topContinuations(
        () => pipeline.apply(tf.logSoftmax(last ? run.next(last) : copies(run.first(), numBeams))),
        scores,
        kept,
      );
      for (const [b, sample] of samples.entries()) sample.advance(found[b]);
      const rows = samples.flatMap(({ parents }, b) => parents.map((parent) => b * numBeams + parent));
      if (last) run.reorder(rows);
      else run.fork(numBeams);
      last = Int32Array.from(samples.flatMap(({ running }) => running.map(({ tokens }) => tokens.at(-1)!)));
      pipeline.reorder(rows);
      pipeline.add(last);
    }
  } finally {
    run.dispose();
    pipeline.dispose();
  }
  yield* tellOf(
    samples.map(({ finished }) => finished[0].tokens),
    new Set(options.stopIds),
  );
}

/** Each row `count` times. */
function copies(logits: tf.Tensor2D, count: number): tf.Tensor2D {
  const rows = Array.from({ length: logits.shape[0] * count }, (_, i) => Math.floor(i / count));
  return tf.gather(logits, tf.tensor1d(rows, 'int32'));
}

/** The likeliest continuations of each sample's beams, best first. Few numbers are read back. */
async function topContinuations(
  logProbabilities: () => tf.Tensor2D,
  scores: readonly (readonly number[])[],
  count: number,
): Promise<Candidate[][]> {
  const [batch, numBeams] = [scores.length, scores[0].length];
  const [top, vocabSize] = tf.tidy(() => {
    const each = logProbabilities();
    const sums = tf.add(each, tf.tensor2d(scores.flat(), [batch * numBeams, 1]));
    const width = each.shape[1];
    const { values, indices } = tf.topk(
      tf.reshape(sums, [batch, numBeams * width]),
      Math.min(count, numBeams * width),
    );
    return [[values, indices] as const, width] as const;
  }) as unknown as readonly [readonly [tf.Tensor, tf.Tensor], number];
  const [values, places] = await Promise.all(top.map((tensor) => tensor.data()));
  const width = values.length / batch;
  tf.dispose([...top]);
  return scores.map((_, b) =>
    Array.from({ length: width }, (_, i) => {
      const place = places[b * width + i];
      return { beam: Math.floor(place / vocabSize), token: place % vocabSize, score: values[b * width + i] };
    }),
  );
}

function* tellOf(
  answers: readonly (readonly number[])[],
  stopIds: ReadonlySet<number>,
): Generator<GeneratedTokens> {
  const steps = Math.max(...answers.map(({ length }) => length));
  for (let step = 0; step < steps; step++) {
    const ids = Int32Array.from(answers, (tokens) => {
      const token = tokens[step];
      return token === undefined || stopIds.has(token) ? -1 : token;
    });
    const finished = answers.map((tokens) => {
      if (step < tokens.length - 1) return undefined;
      return stopIds.has(tokens.at(-1)!) ? ('stop' as const) : ('length' as const);
    });
    yield { ids, finished };
  }
}
