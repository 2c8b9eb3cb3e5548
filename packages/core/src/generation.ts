import type {
  FinishReason,
  GeneratedTokens,
  GenerateOptions,
  ModelInputs,
  Sample,
  TextStream,
} from './contracts';
import { disposeImages } from './contracts';
import type { MultimodalModel } from './model';

/** A finished answer. */
export interface Answer {
  readonly ids: Int32Array;
  readonly text: string;
  readonly finishReason: FinishReason;
}

/**
 * An answer on its way. Generation starts when `text` is read or `result` awaited, and runs once: both see all of it,
 * in any order. It stops when its signal is aborted; then both fail with the signal's reason.
 */
export interface GenerationStream {
  /** Pieces of text, complete characters only. May be read several times; each time gives all pieces. */
  readonly text: AsyncIterable<string>;
  /** The whole answer. */
  readonly result: PromiseLike<Answer>;
}

/** One prompt, piece by piece. */
export function streamAnswer(
  model: MultimodalModel,
  sample: Sample,
  options: GenerateOptions,
): GenerationStream {
  const pieces: string[] = [];
  let running: Promise<Answer> | undefined;
  let wake = () => {};
  let next = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const emit = (piece: string) => {
    pieces.push(piece);
    const waiting = wake;
    next = new Promise<void>((resolve) => {
      wake = resolve;
    });
    waiting();
  };
  const start = () => {
    running ??= answerInPieces(model, sample, options, emit);
    return running;
  };
  return {
    text: {
      async *[Symbol.asyncIterator]() {
        const done = start().then(() => {});
        done.catch(() => {});
        let finished = false;
        for (let i = 0; !finished || i < pieces.length; ) {
          if (i < pieces.length) yield pieces[i++];
          else finished = await Promise.race([next.then(() => false), done.then(() => true)]);
        }
      },
    },
    result: {
      // biome-ignore lint/suspicious/noThenProperty: generation waits until somebody wants its result
      then: (onFulfilled, onRejected) => start().then(onFulfilled, onRejected),
    },
  };
}

async function answerInPieces(
  model: MultimodalModel,
  sample: Sample,
  options: GenerateOptions,
  emit: (piece: string) => void,
): Promise<Answer> {
  const ids: number[] = [];
  const stream =
    model.processor.tokenizer.stream?.({ skipSpecialTokens: true }) ??
    wholeStream((ids) => decodeAnswer(model, ids));
  let shown = '';
  const show = (piece: string) => {
    if (piece === '') return;
    emit(piece);
    shown += piece;
  };
  let finishReason: FinishReason = 'length';
  for await (const step of generateTokens(model, [sample], options)) {
    if (step.ids[0] >= 0) {
      ids.push(step.ids[0]);
      show(stream.push(step.ids[0]));
    }
    finishReason = step.finished[0] ?? finishReason;
  }
  show(stream.end());
  return { ids: Int32Array.from(ids), text: shown, finishReason };
}

/** For a tokenizer without a stream of its own: all ids are decoded again for every token. */
function wholeStream(decode: (ids: readonly number[]) => string): TextStream {
  const ids: number[] = [];
  let shown = '';
  const rest = (text: string): string => {
    const piece = text.slice(shown.length);
    shown = text;
    return piece;
  };
  return {
    push(id) {
      ids.push(id);
      const text = decode(ids);
      // A replacement character at the end is a character whose other bytes are still to come.
      return text.endsWith('\uFFFD') ? '' : rest(text);
    },
    end: () => rest(decode(ids)),
  };
}

/** Many prompts in one batch; the answers come in their order. */
export async function generateAnswers(
  model: MultimodalModel,
  samples: readonly Sample[],
  options: GenerateOptions,
): Promise<Answer[]> {
  const ids = samples.map((): number[] => []);
  const reasons = samples.map((): FinishReason => 'length');
  for await (const step of generateTokens(model, samples, options)) {
    samples.forEach((_, i) => {
      if (step.ids[i] >= 0) ids[i].push(step.ids[i]);
      reasons[i] = step.finished[i] ?? reasons[i];
    });
  }
  return ids.map((tokens, i) => ({
    ids: Int32Array.from(tokens),
    text: decodeAnswer(model, tokens),
    finishReason: reasons[i],
  }));
}

function decodeAnswer(model: MultimodalModel, ids: readonly number[]): string {
  return model.processor.tokenizer.decode(ids, { skipSpecialTokens: true });
}

async function* generateTokens(
  model: MultimodalModel,
  samples: readonly Sample[],
  options: GenerateOptions,
): AsyncGenerator<GeneratedTokens> {
  options.signal?.throwIfAborted();
  const { processor } = model;
  const inputs = await processor.process(samples, { padding: 'left', signal: options.signal });
  const fused = fuseAndFree(model, inputs);
  try {
    yield* model.decoder.generate(fused, { ...options, stopIds: options.stopIds ?? processor.stopIds });
  } finally {
    fused.embeddings.dispose();
    fused.dispose?.();
  }
}

/** The pictures are needed no longer once they are encoded; also when the fusion refuses. */
function fuseAndFree(model: MultimodalModel, inputs: ModelInputs) {
  try {
    return model.fuse(inputs);
  } finally {
    if (inputs.images) disposeImages(inputs.images);
  }
}
