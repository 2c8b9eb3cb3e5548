import {
  ConfigError,
  disposeImages,
  type ImageBatch,
  type ImageSource,
  type ModelInputs,
  PlaceholderCountError,
  type PreparedImage,
  type ProcessOptions,
  type Processor,
  type ProcessorContext,
  type ProcessorFactory,
  type Sample,
  type SequencePiece,
  ShapeError,
  type TextTokenizer,
} from '@mmllm/core';
import { fromJinja } from './chat/adapt';
import type { JinjaTemplate } from './chat/template';
import { decodePictures } from './pictures/decode';
import { prepareImages } from './prepare/prepare';
import { padSequences, type Sequence } from './sequence/batch';
import { expandImages, repeatImageIds } from './sequence/expand';
import { remember } from './text/cache';
import { type ChatTemplate, plainTemplate } from './text/template';

export interface TextAndImagesOptions {
  readonly tokenizer: TextTokenizer;
  /** What stands for a picture in a prompt; a token of the vocabulary. Default `<image>`. */
  readonly imageToken?: string;
  /** Token in front of every sample that does not spell it out already. Default: none. */
  readonly bosToken?: string;
  /** Tokens that end an answer; the first one is put behind answers in training. Default `</s>`. */
  readonly stopTokens?: readonly string[];
  /** Default `<pad>` where the vocabulary has it, else the first stop token. */
  readonly padToken?: string;
  /** Renders `messages`: a function, or the template of a released model. Default: `plainTemplate`. */
  readonly template?: ChatTemplate | JinjaTemplate;
}

/** A run over questions repeats few texts often. */
const rememberedTexts = 4096;

/**
 * The processor of a model that reads text and pictures: prompts are tokenised, each image token in them gives way to
 * what the model's fusion wants for its picture, and pictures are prepared as the model's encoder wants them.
 *
 * An answer is tokenised on its own, so that training sees the ids that generation continues with.
 */
export function textAndImages(options: TextAndImagesOptions): ProcessorFactory {
  return {
    specVersion: 'processor/v1',
    build: (context) => new TextAndImages(options, context),
  };
}

/** A sample as text, with its pictures in the order of the image tokens. */
interface Rendered {
  readonly prompt: string;
  readonly images: readonly ImageSource[];
  readonly answer?: string;
}

class TextAndImages implements Processor {
  readonly specVersion = 'processor/v1';
  readonly tokenizer: TextTokenizer;
  readonly stopIds: readonly number[];
  readonly #context: ProcessorContext;
  readonly #imageToken: string;
  readonly #imageTokenId: number;
  readonly #bosToken: string;
  readonly #padId: number;
  readonly #template: ChatTemplate;
  readonly #encode: (text: string) => Int32Array;

  constructor(options: TextAndImagesOptions, context: ProcessorContext) {
    const { tokenizer, imageToken = '<image>', stopTokens = ['</s>'], template = plainTemplate } = options;
    this.tokenizer = tokenizer;
    this.stopIds = stopTokens.map((token) => requireToken(tokenizer, token, 'stopTokens'));
    if (stopTokens.length === 0) {
      throw new ConfigError({
        component: 'textAndImages.stopTokens',
        expected: 'at least one token',
        actual: 'none',
      });
    }
    this.#context = context;
    this.#imageToken = imageToken;
    this.#imageTokenId = context.encoder
      ? requireToken(tokenizer, imageToken, 'imageToken')
      : (tokenizer.tokenId(imageToken) ?? -1);
    this.#bosToken = options.bosToken ?? '';
    if (options.bosToken) requireToken(tokenizer, options.bosToken, 'bosToken');
    this.#padId = options.padToken
      ? requireToken(tokenizer, options.padToken, 'padToken')
      : (tokenizer.tokenId('<pad>') ?? this.stopIds[0]);
    this.#template = typeof template === 'function' ? template : fromJinja(template);
    this.#encode = remember((text) => tokenizer.encode(text), rememberedTexts);
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
      return {
        ...padSequences(sequences, this.#padId, padding),
        imageTokenId: this.#imageTokenId,
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
    const alpha = 'alpha' in encoder.preprocessing ? encoder.preprocessing.alpha : undefined;
    const pictures = await decodePictures(sources, { alpha, signal });
    signal?.throwIfAborted();
    return prepareImages(pictures, encoder.preprocessing);
  }

  /** The text and pictures of a sample. @throws PlaceholderCountError if they do not fit. */
  #render(sample: Sample, index: number): Rendered {
    const { answer } = sample;
    let text: string;
    let images: readonly ImageSource[] = [];
    if ('messages' in sample) {
      const { messages } = sample;
      text = this.#template(messages, { addGenerationPrompt: true, imageToken: this.#imageToken });
      images = messages.flatMap(({ content }) =>
        typeof content === 'string'
          ? []
          : content.flatMap((part) => (part.type === 'image' ? [part.image] : [])),
      );
    } else {
      text = sample.prompt;
      images = sample.images ?? [];
    }
    this.#checkCount(`samples[${index}]`, text, images.length);
    if (answer !== undefined) this.#checkCount(`samples[${index}].answer`, answer, 0);
    const prompt = text.startsWith(this.#bosToken) ? text : this.#bosToken + text;
    return { prompt, images, answer };
  }

  #checkCount(component: string, text: string, numImages: number): void {
    const count = text.split(this.#imageToken).length - 1;
    if (count === numImages) return;
    const one = `'${this.#imageToken}' for each of ${numImages} pictures`;
    throw new PlaceholderCountError({ component, expected: `one ${one}`, actual: `${count}` });
  }

  /** What stands for each picture in the sequence; runs no kernel. */
  #placeholders(images: readonly PreparedImage[]): SequencePiece[][] {
    if (images.length === 0) return [];
    const { encoder, projector, fusion } = this.#context;
    if (!encoder || !projector || !fusion) throw textOnly(images.length);
    return projector.layout(encoder.layout(images)).map((tokens) => fusion.placeholders(tokens));
  }

  #sequence({ prompt, answer }: Rendered, pieces: readonly (readonly SequencePiece[])[]): Sequence {
    const { text, repeats } = expandImages(prompt, this.#imageToken, pieces);
    const ids = repeatImageIds(this.#encode(text), this.#imageTokenId, repeats);
    if (answer === undefined) return { ids };
    const answerIds = this.#encode(answer);
    const whole = new Int32Array(ids.length + answerIds.length + 1);
    whole.set(ids);
    whole.set(answerIds, ids.length);
    whole[whole.length - 1] = this.stopIds[0];
    return { ids: whole, answerStart: ids.length };
  }
}

/** The id of a token that texts spell out as a whole. */
function requireToken(tokenizer: TextTokenizer, token: string, option: keyof TextAndImagesOptions): number {
  const id = tokenizer.tokenId(token);
  if (id !== undefined) {
    const ids = tokenizer.encode(token);
    if (ids.length === 1 && ids[0] === id) return id;
  }
  throw new ConfigError({
    component: `textAndImages.${option}`,
    expected: 'a special token of the vocabulary',
    actual: `'${token}', which ${id === undefined ? 'it does not hold' : 'is read as ordinary text'}`,
    hint: 'Add it to the special tokens of the tokenizer, or name another one.',
  });
}

function textOnly(numImages: number): ShapeError {
  return new ShapeError({
    component: 'processor',
    expected: 'text only, since the model was composed without an encoder',
    actual: `${numImages} pictures`,
  });
}
