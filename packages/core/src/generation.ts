import type { FinishReason, GenerateOptions, ModelInputs, Sample } from './contracts';
import { disposeImages } from './contracts';
import type { MultimodalModel } from './model';

/** A finished answer. */
export interface Answer {
  readonly ids: Int32Array;
  readonly text: string;
  readonly finishReason: FinishReason;
}

/** An answer on its way: read `text` as it comes, or await `result`. Generation runs once. */
export interface GenerationStream {
  /** Pieces of text, complete characters only. Leaving the loop early stops the generation. */
  readonly text: AsyncIterable<string>;
  /** The whole answer; reads the stream to its end if nobody else does. */
  readonly result: Promise<Answer>;
}

/** One prompt, piece by piece. */
export function streamAnswer(
  model: MultimodalModel,
  sample: Sample,
  options: GenerateOptions,
): GenerationStream {
  const ids: number[] = [];
  let finishReason: FinishReason = 'length';
  const answer = () => ({ ids: Int32Array.from(ids), text: decodeAnswer(model, ids), finishReason });
  async function* pieces(): AsyncGenerator<string, Answer> {
    let shown = '';
    for await (const step of generateTokens(model, [sample], options)) {
      if (step.ids[0] >= 0) ids.push(step.ids[0]);
      finishReason = step.finished[0] ?? finishReason;
      const text = decodeAnswer(model, ids);
      // A replacement character at the end is a character whose other bytes are still to come.
      if (text.endsWith('\uFFFD') && !step.finished[0]) continue;
      if (text.length > shown.length) yield text.slice(shown.length);
      shown = text;
    }
    return answer();
  }
  const stream = pieces();
  let taken = false;
  let result: Promise<Answer> | undefined;
  return {
    text: {
      async *[Symbol.asyncIterator]() {
        taken = true;
        yield* stream;
      },
    },
    get result() {
      result ??= taken ? Promise.resolve().then(answer) : drain(stream);
      return result;
    },
  };
}

async function drain(stream: AsyncGenerator<string, Answer>): Promise<Answer> {
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return value;
  }
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

async function* generateTokens(model: MultimodalModel, samples: readonly Sample[], options: GenerateOptions) {
  options.signal?.throwIfAborted();
  const { processor } = model;
  const inputs = await processor.process(samples, { padding: 'left', signal: options.signal });
  const fused = fuseOutsideTidy(model, inputs);
  try {
    yield* model.decoder.generate(fused, { stopIds: processor.stopIds, ...options });
  } finally {
    fused.embeddings.dispose();
    fused.dispose?.();
  }
}

/** Keeps what generation needs, frees the rest; also when the fusion refuses. */
function fuseOutsideTidy(model: MultimodalModel, inputs: ModelInputs) {
  try {
    return model.fuse(inputs);
  } finally {
    if (inputs.images) disposeImages(inputs.images);
  }
}
