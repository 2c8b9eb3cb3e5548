import {
  disposeImages,
  type ImageBatch,
  type ImagePreprocessing,
  type ImageSource,
  type Message,
  type ModelInputs,
  PlaceholderCountError,
  type PreparedImage,
  type ProcessOptions,
  type Processor,
  type ProcessorContext,
  type Sample,
  type SequencePiece,
  ShapeError,
  type TextTokenizer,
} from '@mmllm/core';
import { decodePictures } from './pictures/decode';
import { prepareImages } from './prepare/prepare';
import { padSequences, type Sequence } from './sequence/batch';
import { expandImages, repeatImageIds } from './sequence/expand';
import type { ChatTemplate } from './text/template';

/** How prompts are written and read. */
export interface PromptRules {
  readonly tokenizer: TextTokenizer;
  /** What stands for a picture in a prompt. */
  readonly imageToken: string;
  readonly imageTokenId: number;
  /** Tokens that end an answer; the first one is put behind answers in training. */
  readonly stopIds: readonly number[];
  readonly padId: number;
  readonly template: ChatTemplate;
  /** What a prompt becomes before its pictures are expanded. Default: it stays. */
  layOut?(prompt: Prompt): string;
  /** Text before and after what each picture becomes. */
  readonly around?: readonly [before: string, after: string];
  encodePrompt(text: string, prompt: Prompt): Int32Array;
  encodeAnswer(text: string): Int32Array;
  /** Whether all tokens of a prompt see each other. Default false. */
  readonly prefixLm?: boolean;
  /** What is done to pictures. Default: what the encoder wants. */
  readonly preprocessing?: ImagePreprocessing;
}

export interface Prompt {
  /** As it was written, before it is laid out. */
  readonly text: string;
  readonly numImages: number;
  /** Whether the template wrote it. */
  readonly isChat: boolean;
}

/** A sample as text, with its pictures in the order of the image tokens. */
interface Rendered extends Prompt {
  readonly laidOut: string;
  readonly images: readonly ImageSource[];
  readonly answer?: string;
}

/**
 * Prompts are tokenised, each image token in them gives way to what the model's fusion wants for its picture, and
 * pictures are prepared. An answer is tokenised on its own, so that training sees the ids that generation continues with.
 */
export class PromptProcessor implements Processor {
  readonly specVersion = 'processor/v1';
  readonly #rules: PromptRules;
  readonly #context: ProcessorContext;

  constructor(rules: PromptRules, context: ProcessorContext) {
    this.#rules = rules;
    this.#context = context;
  }

  get tokenizer(): TextTokenizer {
    return this.#rules.tokenizer;
  }

  get stopIds(): readonly number[] {
    return this.#rules.stopIds;
  }

  async process(
    samples: readonly Sample[],
    { padding, known, signal }: ProcessOptions,
  ): Promise<ModelInputs> {
    const rendered = samples.map((sample, index) => this.#render(sample, index));
    const sources = rendered.flatMap(({ images }) => images);
    const prepared = sources.map((source) => known?.(source));
    const others = sources.filter((_, i) => !prepared[i]);
    const images = others.length > 0 ? await this.prepareImages(others, signal) : undefined;
    try {
      const rest = images?.images.values();
      const pieces = this.#placeholders(prepared.map((image) => image ?? rest!.next().value!));
      let next = 0;
      const sequences = rendered.map((sample) => {
        const first = next;
        next += sample.images.length;
        return this.#sequence(sample, pieces.slice(first, next));
      });
      const batch = padSequences(sequences, this.#rules.padId, padding);
      return {
        ...batch,
        ...(this.#rules.prefixLm && {
          prefix: batch.start.map(
            (start, b) => start + (sequences[b].answerStart ?? sequences[b].ids.length),
          ),
        }),
        imageTokenId: this.#rules.imageTokenId,
        imagesPerSample: rendered.map((sample) => sample.images.length),
        ...(images && { images }),
      };
    } catch (error) {
      if (images) disposeImages(images);
      throw error;
    }
  }

  async prepareImages(sources: readonly ImageSource[], signal?: AbortSignal): Promise<ImageBatch> {
    const { encoder } = this.#context;
    if (!encoder) throw textOnly(sources.length);
    const preprocessing = this.#rules.preprocessing ?? encoder.preprocessing;
    const alpha = 'alpha' in preprocessing ? preprocessing.alpha : undefined;
    const pictures = await decodePictures(sources, { alpha, signal });
    signal?.throwIfAborted();
    return prepareImages(pictures, preprocessing);
  }

  /** The text and pictures of a sample. @throws PlaceholderCountError if they do not fit. */
  #render(sample: Sample, index: number): Rendered {
    const { answer } = sample;
    const { imageToken, template, layOut } = this.#rules;
    const isChat = 'messages' in sample;
    const images = isChat ? picturesOf(sample.messages) : (sample.images ?? []);
    const written = isChat
      ? template(sample.messages, { addGenerationPrompt: true, imageToken })
      : sample.prompt;
    const prompt = { text: written, numImages: images.length, isChat };
    const text = layOut ? layOut(prompt) : written;
    this.#checkCount(`samples[${index}]`, text, images.length);
    if (answer !== undefined) this.#checkCount(`samples[${index}].answer`, answer, 0);
    return { ...prompt, laidOut: text, images, answer };
  }

  #checkCount(component: string, text: string, numImages: number): void {
    const { imageToken } = this.#rules;
    const count = text.split(imageToken).length - 1;
    if (count === numImages) return;
    const one = `'${imageToken}' for each of ${numImages} pictures`;
    throw new PlaceholderCountError({ component, expected: `one ${one}`, actual: `${count}` });
  }

  /** What stands for each picture in the sequence; runs no kernel. */
  #placeholders(images: readonly PreparedImage[]): SequencePiece[][] {
    if (images.length === 0) return [];
    const { encoder, projector, fusion } = this.#context;
    if (!encoder || !projector || !fusion) throw textOnly(images.length);
    const [before, after] = (this.#rules.around ?? []).map((text) => ({ kind: 'text', text }) as const);
    return projector.layout(encoder.layout(images)).map((tokens) => {
      const pieces = fusion.placeholders(tokens);
      return before && after ? [before, ...pieces, after] : pieces;
    });
  }

  #sequence(prompt: Rendered, pieces: readonly (readonly SequencePiece[])[]): Sequence {
    const { imageToken, imageTokenId, stopIds } = this.#rules;
    const { text, repeats } = expandImages(prompt.laidOut, imageToken, pieces);
    const ids = repeatImageIds(this.#rules.encodePrompt(text, prompt), imageTokenId, repeats);
    if (prompt.answer === undefined) return { ids };
    const answer = this.#rules.encodeAnswer(prompt.answer);
    const whole = new Int32Array(ids.length + answer.length + 1);
    whole.set(ids);
    whole.set(answer, ids.length);
    whole[whole.length - 1] = stopIds[0];
    return { ids: whole, answerStart: ids.length };
  }
}

const picturesOf = (messages: readonly Message[]): readonly ImageSource[] =>
  messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.flatMap((part) => (part.type === 'image' ? [part.image] : [])),
  );

function textOnly(numImages: number): ShapeError {
  return new ShapeError({
    component: 'processor',
    expected: 'text only, since the model was composed without an encoder',
    actual: `${numImages} pictures`,
  });
}
