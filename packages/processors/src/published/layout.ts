import { ConfigError, type ImageSource, PlaceholderCountError, ShapeError } from '@mmllm/core';
import type { JinjaTemplate } from '../chat/template';
import { type Conversation, mediaOf, type Video, withoutMedia } from './conversation';
import { type EditedText, edited, placesOf } from './edits';
import type { Family, LayoutCall } from './family';
import { answerSpans, type Span } from './labels';
import type { ImagesInput, ProcessorInput, ProcessorOptions, ProcessorParts } from './processor';

/** The texts of a call and what they show, in its order. */
export interface Layout {
  /** Undefined for a call with pictures alone. */
  readonly texts?: readonly string[];
  readonly images: readonly ImageSource[];
  /** How many of the pictures each text has, where the call says so. */
  readonly imagesPerText?: readonly number[];
  readonly videos: readonly Video[];
  /** Of conversations: what the assistant says in each text. */
  readonly spans?: () => (readonly Span[])[];
}

export function layoutOf(parts: ProcessorParts, input: ProcessorInput, options: ProcessorOptions): Layout {
  if (input.messages) return conversations(parts, listOf(input.messages), options);
  const { text, images = [], videos = [] } = input;
  const texts = typeof text === 'string' ? [text] : text;
  if (texts?.length === 0 || (!texts && images.length === 0)) {
    throw new ShapeError({ component: parts.className, expected: 'a text or a picture', actual: 'neither' });
  }
  return { texts, videos, ...imagesOf(images) };
}

const isNested = (images: ImagesInput): images is readonly (readonly ImageSource[])[] =>
  images.length > 0 && images.every((each) => Array.isArray(each));

function imagesOf(images: ImagesInput): Pick<Layout, 'images' | 'imagesPerText'> {
  if (!isNested(images)) return { images: images as readonly ImageSource[] };
  return { images: images.flat(), imagesPerText: images.map((each) => each.length) };
}

const listOf = (messages: Conversation | readonly Conversation[]): readonly Conversation[] =>
  messages.every((each) => Array.isArray(each))
    ? (messages as readonly Conversation[])
    : [messages as Conversation];

function conversations(
  parts: ProcessorParts,
  list: readonly Conversation[],
  options: ProcessorOptions,
): Layout {
  const template = requireTemplate(parts);
  if (list.length === 0) {
    throw new ShapeError({ component: parts.className, expected: 'at least one message', actual: 'none' });
  }
  const media = list.map(mediaOf);
  const seen = list.map(withoutMedia);
  const rendered = seen.map((messages) => template.render(messages, options));
  return {
    texts: rendered.map(({ text }) => text),
    ...imagesOf(media.map(({ images }) => images)),
    videos: media.flatMap(({ videos }) => videos),
    spans: () => rendered.map(({ generations }, i) => generations ?? answerSpans(template, seen[i], options)),
  };
}

/** @throws ConfigError if there is none. */
export function requireTemplate({ className, template }: ProcessorParts): JinjaTemplate {
  if (template) return template;
  throw new ConfigError({
    component: className,
    expected: 'a chat template, in chat_template.jinja or tokenizer_config.json',
    actual: 'none',
    hint: 'Give it text instead of messages.',
  });
}

/**
 * How many pictures each text has; without texts each picture is a sample of its own.
 * @throws PlaceholderCountError if the lists are not as many as the texts.
 */
export function numbersOfImages(
  { className }: ProcessorParts,
  { imageToken, imagesPerText }: Family,
  { texts, images, imagesPerText: given }: Layout,
): readonly number[] {
  if (!texts || !imageToken) return given ?? images.map(() => 1);
  if (given) {
    if (given.length === texts.length) return given;
    throw new PlaceholderCountError({
      component: className,
      expected: `a list of pictures for each of ${texts.length} texts`,
      actual: `${given.length}`,
    });
  }
  const countAll = imagesPerText ?? ((all) => all.map((text) => placesOf(imageToken, text).length));
  const counts = countAll(texts, images.length);
  const named = counts.reduce((sum, count) => sum + count, 0);
  if (named === images.length) return counts;
  throw new PlaceholderCountError({
    component: className,
    expected: `one '${imageToken}' in its texts for each of ${images.length} pictures`,
    actual: `${named}`,
  });
}

/** The texts as the family writes them, before pictures are expanded. @throws PlaceholderCountError */
export function layOut(
  { className }: ProcessorParts,
  { imageToken, layout }: Family,
  texts: readonly string[],
  call: LayoutCall,
): EditedText[] {
  const edits = layout?.(texts, call);
  const laidOut = texts.map((text, i) => edited(text, edits?.[i] ?? []));
  if (imageToken) {
    laidOut.forEach(({ text }, i) => {
      checkCount(`${className} text[${i}]`, imageToken, text, call.perSample?.[i] ?? 0);
    });
  }
  return laidOut;
}

function checkCount(component: string, token: string, text: string, numImages: number): void {
  const count = placesOf(token, text).length;
  if (count === numImages) return;
  const expected = `one '${token}' for each of ${numImages} pictures`;
  throw new PlaceholderCountError({ component, expected, actual: `${count}` });
}
