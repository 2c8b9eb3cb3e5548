import { ConfigError, type ImageSource } from '@mmllm/core';
import type { RenderOptions } from '../chat/message';
import type { JinjaTemplate } from '../chat/template';
import type { Json } from '../hugging-face/fields';
import type { DescribedPreprocessing } from '../prepare/prepare';
import type { BatchOptions } from '../tokenizer/batch';
import type { JsonTokenizer } from '../tokenizer/tokenizer';
import type { ProcessorArrays } from './arrays';
import { processCall } from './call';
import { type Conversation, type Video, withoutMedia } from './conversation';
import type { Family, FamilyOptions } from './family';
import { labelsOf } from './labels';
import { requireTemplate } from './layout';
import type { FrameChoice, VideoPreprocessing } from './video';

/** Pictures in the order of their tokens, or a list of them for each text. */
export type ImagesInput = readonly ImageSource[] | readonly (readonly ImageSource[])[];

/** Texts with their pictures and videos, or whole conversations that hold them; one or a batch. */
export type ProcessorInput =
  | {
      readonly text?: string | readonly string[];
      readonly images?: ImagesInput;
      readonly videos?: readonly Video[];
      readonly messages?: undefined;
    }
  | { readonly messages: Conversation | readonly Conversation[] };

export interface ProcessorOptions
  extends Omit<BatchOptions, 'pairs'>,
    FamilyOptions,
    FrameChoice,
    Omit<RenderOptions, 'continueFinalMessage'> {
  /** Keys of `preprocessor_config.json` that have other values in this call. */
  readonly imageOptions?: Json;
  readonly signal?: AbortSignal;
}

/** The processor of a published model, as `processorFromHuggingFace` opens it. */
export interface HuggingFaceProcessor {
  /**
   * Texts and pictures to the arrays that transformers' processor returns, under its names: `input_ids`,
   * `attention_mask`, `pixel_values` and more. Conversations are rendered by the chat template first.
   *
   * @throws PlaceholderCountError if a text has not one image token for each of its pictures.
   * @throws PictureError, TokenizerError, TemplateError for what cannot be decoded, tokenised or rendered.
   */
  (input: ProcessorInput, options?: ProcessorOptions): Promise<ProcessorArrays>;
  /**
   * The same with what training wants: `labels`, int32[B, T], the ids that the assistant says and −100 elsewhere, and for
   * conversations `assistant_masks`, int32[B, T]. A batch is padded on the right unless asked otherwise.
   *
   * A template that does not mark what the assistant says is rendered once for each prompt to find it.
   */
  forTraining(input: ProcessorInput, options?: ProcessorOptions): Promise<ProcessorArrays>;
  /** Text of a conversation, as the template renders it. */
  applyChatTemplate(conversation: Conversation, options?: RenderOptions): string;
  /** The class in transformers: `LlavaProcessor`. */
  readonly className: string;
  readonly tokenizer: JsonTokenizer;
  readonly preprocessing: DescribedPreprocessing;
  readonly template?: JinjaTemplate;
}

/** What a processor is made of. */
export interface ProcessorParts {
  readonly className: string;
  readonly tokenizer: JsonTokenizer;
  /** Of `tokenizer_config.json`, where it says so. */
  readonly paddingSide?: 'left' | 'right';
  readonly template?: JinjaTemplate;
  readonly video?: VideoPreprocessing;
  /** The family for keys of the image processor that have other values. */
  familyOf(imageOptions?: Json): { readonly family: Family; readonly preprocessing: DescribedPreprocessing };
}

export function makeProcessor(parts: ProcessorParts): HuggingFaceProcessor {
  const { className, tokenizer, template } = parts;
  const processor = async (input: ProcessorInput, options: ProcessorOptions = {}) =>
    (await processCall(parts, input, options)).arrays;
  return Object.assign(processor, {
    className,
    tokenizer,
    template,
    preprocessing: parts.familyOf().preprocessing,
    forTraining: (input: ProcessorInput, options: ProcessorOptions = {}) =>
      processForTraining(parts, input, { padding: true, paddingSide: 'right', ...options }),
    applyChatTemplate: (conversation: Conversation, options?: RenderOptions) =>
      requireTemplate(parts).render(withoutMedia(conversation), options).text,
  });
}

async function processForTraining(
  parts: ProcessorParts,
  input: ProcessorInput,
  options: ProcessorOptions,
): Promise<ProcessorArrays> {
  const { arrays, assistantMasks } = await processCall(parts, input, options);
  if (assistantMasks) {
    const assistant_masks = assistantMasks();
    return { ...arrays, assistant_masks, labels: labelsOf(arrays.input_ids!, assistant_masks) };
  }
  if (options.suffix) return arrays;
  throw new ConfigError({
    component: parts.className,
    expected: 'messages, of which the assistant says some, or a suffix',
    actual: 'text alone, in which nothing is to be learned',
  });
}
