import type { GeneratedTokens, GenerateOptions } from '../contracts';
import { ConfigError, ShapeError } from '../errors';
import type { MultimodalModel } from '../model';
import { type Answer, GrowingAnswer, type TokenPiece } from './answer';
import { batchOf, type GenerationInput, lengthOf, type ModelGenerateOptions, prepareInputs } from './inputs';
import { Replay } from './replay';
import { Stopwatch } from './stopwatch';

/**
 * An answer on its way. Generation starts when something is read or `result` awaited, and runs once: all see all of it,
 * in any order. It stops when its signal is aborted; then all fail with the signal's reason.
 */
export interface GenerationStream {
  /** Tokens with their text, one after the other. */
  readonly tokens: AsyncIterable<TokenPiece>;
  /** Pieces of text, complete characters only. May be read several times; each time gives all pieces. */
  readonly text: AsyncIterable<string>;
  /** The whole answer. */
  readonly result: PromiseLike<Answer>;
}

/** One prompt, piece by piece. */
export function streamAnswer(
  model: MultimodalModel,
  input: GenerationInput,
  options: ModelGenerateOptions,
): GenerationStream {
  const replay = new Replay<TokenPiece, Answer>(async (emit) => {
    const [answer] = await answers(model, [input], options, emit);
    return answer!;
  });
  return {
    tokens: replay.pieces(({ id, text }) => (id === undefined && text === '' ? undefined : { id, text })),
    text: replay.pieces(({ text }) => text || undefined),
    result: {
      // biome-ignore lint/suspicious/noThenProperty: generation waits until somebody wants its result
      then: (onFulfilled, onRejected) => replay.result().then(onFulfilled, onRejected),
    },
  };
}

/** Many prompts in one batch; the answers come in their order. */
export const generateAnswers = (
  model: MultimodalModel,
  inputs: readonly GenerationInput[],
  options: ModelGenerateOptions,
): Promise<Answer[]> => answers(model, inputs, options, () => {});

async function answers(
  model: MultimodalModel,
  inputs: readonly GenerationInput[],
  options: ModelGenerateOptions,
  emit: (piece: TokenPiece) => void,
): Promise<Answer[]> {
  const { stop = [], ...rest } = { ...model.generation, ...defined(options) };
  rest.signal?.throwIfAborted();
  if (stop.length > 0 && !model.hasProcessor) {
    throw new ConfigError({
      component: 'model.generate.stop',
      expected: 'no stop strings without a processor, whose tokenizer makes text',
      actual: `${stop.length}`,
    });
  }
  const watch = new Stopwatch();
  const growing = inputs.map(
    () => new GrowingAnswer(model.hasProcessor ? model.processor.tokenizer : undefined, stop),
  );
  for await (const { ids, finished } of steps(model, inputs, rest, watch)) {
    watch.step();
    for (const [i, answer] of growing.entries()) {
      const piece = answer.push(ids[i]!, finished[i]);
      if (piece) emit(piece);
    }
    // Stop strings are none of the decoder's business.
    if (growing.every((answer) => answer.finished)) break;
  }
  return growing.map((answer) => {
    const piece = answer.end();
    if (piece) emit(piece);
    return answer.answer(watch.timings(answer.ids.length));
  });
}

async function* steps(
  model: MultimodalModel,
  inputs: readonly GenerationInput[],
  { guidance, ...options }: ModelGenerateOptions,
  watch: Stopwatch,
): AsyncGenerator<GeneratedTokens> {
  const { signal } = options;
  const stopIds = options.stopIds ?? (model.hasProcessor ? model.processor.stopIds : undefined);
  const prompt = await prepareInputs(model, inputs, signal);
  try {
    checkBatch(batchOf(prompt.inputs), inputs.length);
    watch.promptTokens = lengthOf(prompt.inputs);
    const copies = inputs.map(() => guidance?.negative);
    const negative = guidance && (await prepareInputs(model, copies as GenerationInput[], signal));
    try {
      const filled: GenerateOptions = {
        ...options,
        stopIds,
        guidance: negative && { scale: guidance.scale, negative: negative.inputs },
      };
      yield* model.decoder.generate(prompt.inputs, filled);
    } finally {
      negative?.dispose();
    }
  } finally {
    prompt.dispose();
  }
}

function checkBatch(actual: number, expected: number): void {
  if (actual === expected) return;
  throw new ShapeError({
    component: 'model.generate',
    expected: 'one sequence; decoder.generate takes batches of ids and embeddings',
    actual: `${actual}`,
  });
}

/** Without the keys that are undefined, which say nothing. */
function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
