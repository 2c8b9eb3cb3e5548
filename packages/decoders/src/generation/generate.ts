import {
  type Decoder,
  type DecoderInputs,
  type GeneratedTokens,
  type GenerateOptions,
  ShapeError,
  type TextInputs,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { embedded } from '../shared/inputs';
import { searchBeams } from './beams';
import { type FilledOptions, parseOptions, tokenBudget } from './options';
import { LogitsPipeline } from './pipeline';
import { Progress } from './progress';
import { PromptRun } from './prompt-run';
import { tokenChooser } from './sampling';

/**
 * Streams one token a step for every sequence of a left-padded batch: the prompt in one pass, then token by token
 * through a cache. A step reads back one number per sequence. What the step holds is freed when the loop ends, also
 * by `break`, an error or the signal. Beams are known only at the end, and their tokens come then.
 *
 * @throws ConfigError for options outside their range.
 * @throws ContextLengthError if prompt and `maxNewTokens` exceed `maxLength`. The default, 64, yields to the context.
 * @throws ShapeError for a rule that does not say what comes after the prompt. The signal's reason, when it aborts.
 */
export async function* generateTokens(
  decoder: Decoder,
  inputs: DecoderInputs | TextInputs,
  options: GenerateOptions = {},
): AsyncGenerator<GeneratedTokens, void> {
  const parsed = parseOptions(options);
  parsed.signal?.throwIfAborted();
  const prompt = embedded(decoder, inputs);
  try {
    if (parsed.numBeams > 1) yield* searchBeams(decoder, prompt.inputs, parsed);
    else yield* generateFrom(decoder, prompt.inputs, parsed);
  } finally {
    prompt.dispose();
  }
}

async function* generateFrom(
  decoder: Decoder,
  inputs: DecoderInputs,
  options: FilledOptions,
): AsyncGenerator<GeneratedTokens, void> {
  const { signal, stopIds, cacheType: type } = options;
  const [batch, length] = inputs.embeddings.shape;
  const maxNewTokens = tokenBudget(decoder, length, options.maxNewTokens);
  const choose = tokenChooser(batch, options);
  const progress = new Progress(batch, maxNewTokens, stopIds);
  const open: { dispose(): void }[] = [];
  const kept = <T extends { dispose(): void }>(one: T): T => {
    open.push(one);
    return one;
  };
  try {
    // The last token is never fed back.
    const capacity = length + maxNewTokens - 1;
    const run = kept(new PromptRun(decoder, inputs, { capacity, type }, options.memory));
    const logitsOf = options.guidance
      ? guided(decoder, run, options.guidance, batch, { maxNewTokens, type }, kept)
      : (ids?: Int32Array) => (ids ? run.next(ids) : run.first());
    const pipeline = kept(new LogitsPipeline(options, inputs, decoder.vocabSize));
    // The last tensors of a step are B numbers; all others end with this scope.
    const advance = (before?: Int32Array) => read(tf.tidy(() => choose(pipeline.apply(logitsOf(before)))));
    let ids = await advance();
    for (;;) {
      signal?.throwIfAborted();
      yield progress.record(ids);
      if (progress.done) return;
      signal?.throwIfAborted();
      pipeline.add(ids);
      ids = await advance(ids);
    }
  } finally {
    for (const one of open) one.dispose();
  }
}

/**
 * Classifier-free guidance (Sanchez et al. 2023, arXiv:2306.17806): `scale · (log p − log p⁻) + log p⁻`, where p⁻ comes
 * from the negative prompt with the same answer behind it.
 */
function guided(
  decoder: Decoder,
  run: PromptRun,
  { scale, negative }: NonNullable<GenerateOptions['guidance']>,
  batch: number,
  { maxNewTokens, type }: { maxNewTokens: number; type: FilledOptions['cacheType'] },
  kept: <T extends { dispose(): void }>(one: T) => T,
): (ids?: Int32Array) => tf.Tensor2D {
  const { inputs } = kept(embedded(decoder, negative));
  const [rows, length] = inputs.embeddings.shape;
  if (rows !== batch) {
    throw new ShapeError({
      component: 'generate.guidance',
      expected: `${batch} negative prompts, one for each prompt`,
      actual: `${rows}`,
    });
  }
  tokenBudget(decoder, length, maxNewTokens);
  const other = kept(new PromptRun(decoder, inputs, { capacity: length + maxNewTokens - 1, type }));
  return (ids) => {
    const [wanted, unwanted] = [run, other].map((one) => tf.logSoftmax(ids ? one.next(ids) : one.first()));
    return tf.add(tf.mul(tf.sub(wanted, unwanted), scale), unwanted);
  };
}

async function read(ids: tf.Tensor1D): Promise<Int32Array> {
  try {
    return Int32Array.from(await ids.data());
  } finally {
    ids.dispose();
  }
}
