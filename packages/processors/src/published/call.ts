import { type ImageSource, PlaceholderCountError, TokenizerError } from '@mmllm/core';
import type { HostArray } from '../host-array';
import { decodePictures } from '../pictures/decode';
import { type DescribedPreprocessing, prepareOnHost } from '../prepare/prepare';
import type { BatchOptions, TokenBatch } from '../tokenizer/batch';
import type { ProcessorArrays } from './arrays';
import { type Edit, type EditedText, edited, placesOf } from './edits';
import type { Family, FamilyImages } from './family';
import { assistantMasks } from './labels';
import { layOut, layoutOf, numbersOfImages } from './layout';
import type { ProcessorInput, ProcessorOptions, ProcessorParts } from './processor';
import { prepareVideos } from './videos';

/** What a call makes. */
export interface Processed {
  readonly arrays: ProcessorArrays;
  /** Of conversations: 1 for the tokens that the assistant says, int32[B, T]. */
  readonly assistantMasks?: () => HostArray<Int32Array>;
}

/** Texts and media to arrays: the steps that all processors share. */
export async function processCall(
  parts: ProcessorParts,
  input: ProcessorInput,
  options: ProcessorOptions,
): Promise<Processed> {
  const { family, preprocessing } = parts.familyOf(options.imageOptions);
  const call = layoutOf(parts, input, options);
  const { texts, spans } = call;
  const perSample = call.images.length > 0 ? numbersOfImages(parts, family, call) : undefined;
  // As in transformers: a template that begins with the start token has written all special tokens itself.
  const { bos_token: bos } = parts.tokenizer.specialTokens;
  const addSpecialTokens =
    options.addSpecialTokens ?? !(spans && bos !== undefined && texts?.[0].startsWith(bos));
  const laidOut = texts && layOut(parts, family, texts, { options, perSample, addSpecialTokens });

  const images = perSample && (await prepareFor(preprocessing, call.images, perSample, options.signal));
  const videos = await prepareVideos(parts, call.videos, options);
  const arrays: ProcessorArrays = { ...(images && family.images(images)), ...videos.arrays };
  if (!laidOut) return { arrays };

  const expanded = expand(parts, family, laidOut, images, videos.tokens);
  const wanted = expanded.map(({ text }) => text);
  const batchOptions = batchOptionsOf(parts, family, options, addSpecialTokens);
  const batch =
    family.tokenize?.(wanted, batchOptions, images !== undefined) ??
    parts.tokenizer.batch(wanted, batchOptions);
  checkTokens(parts, family, wanted, batch);
  const { encodings, ...tokens } = batch;
  Object.assign(arrays, tokens, family.tokens?.(batch, images, options));
  if (!spans) return { arrays };
  return {
    arrays,
    assistantMasks() {
      const moved = (i: number) => (place: number) => expanded[i].moved(laidOut[i].moved(place));
      const places = spans().map((list, i) =>
        list.map(([start, end]) => [moved(i)(start), moved(i)(end)] as const),
      );
      return assistantMasks(batch.input_ids, encodings, places, batchOptions.paddingSide);
    },
  };
}

async function prepareFor(
  preprocessing: DescribedPreprocessing,
  sources: readonly ImageSource[],
  perSample: readonly number[],
  signal?: AbortSignal,
): Promise<FamilyImages> {
  const alpha = 'alpha' in preprocessing ? preprocessing.alpha : undefined;
  const pictures = await decodePictures(sources, { alpha, signal });
  signal?.throwIfAborted();
  return { host: prepareOnHost(pictures, preprocessing), perSample };
}

/** Every image and video token gives way to what its picture or video takes. */
function expand(
  { className }: ProcessorParts,
  { imageToken, videoToken, placeholders, around: [before, after] = ['', ''] }: Family,
  laidOut: readonly EditedText[],
  images: FamilyImages | undefined,
  videoTokens: readonly number[],
): EditedText[] {
  const pictures = ((images && placeholders?.(images)) ?? []).map((text) => before + text + after);
  const films = videoTokens.map((tokens) => videoToken!.repeat(tokens));
  const [nextPicture, nextFilm] = [pictures.values(), films.values()];
  const replace = (token: string | undefined, text: string, next: Iterator<string>): Edit[] =>
    token === undefined
      ? []
      : placesOf(token, text).flatMap((place) => {
          const { value, done } = next.next();
          return done ? [] : [{ ...place, text: value }];
        });
  const expanded = laidOut.map(({ text }) => {
    const edits = [...replace(imageToken, text, nextPicture), ...replace(videoToken, text, nextFilm)];
    return edited(
      text,
      edits.sort((a, b) => a.start - b.start),
    );
  });
  const named = laidOut.reduce(
    (sum, { text }) => sum + (videoToken ? placesOf(videoToken, text).length : 0),
    0,
  );
  if (named === films.length) return expanded;
  throw new PlaceholderCountError({
    component: className,
    expected: `one '${videoToken}' for each of ${films.length} videos`,
    actual: `${named}`,
  });
}

function batchOptionsOf(
  { tokenizer, paddingSide }: ProcessorParts,
  { text, pairs }: Family,
  options: ProcessorOptions,
  addSpecialTokens: boolean,
): BatchOptions & { paddingSide: 'left' | 'right' } {
  return {
    padding: options.padding,
    truncation: options.truncation,
    truncationSide: options.truncationSide,
    maxLength: options.maxLength,
    padToMultipleOf: options.padToMultipleOf,
    returnAttentionMask: options.returnAttentionMask,
    returnTokenTypeIds: options.returnTokenTypeIds ?? text?.returnTokenTypeIds,
    addSpecialTokens: addSpecialTokens && (text?.addSpecialTokens ?? true),
    // What the file says goes before what the class is used to.
    paddingSide: options.paddingSide ?? paddingSide ?? text?.paddingSide ?? tokenizer.paddingSide,
    pairs: pairs?.(options),
  };
}

/** @throws TokenizerError where truncation took image tokens away. */
function checkTokens(
  { className, tokenizer }: ProcessorParts,
  { imageToken }: Family,
  texts: readonly string[],
  { input_ids }: TokenBatch,
): void {
  if (!imageToken) return;
  const id = tokenizer.tokenId(imageToken);
  const [, length] = input_ids.shape;
  texts.forEach((text, b) => {
    const expected = placesOf(imageToken, text).length;
    const row = input_ids.data.subarray(b * length, (b + 1) * length);
    const actual = row.reduce((count, each) => count + Number(each === id), 0);
    if (actual === expected) return;
    throw new TokenizerError({
      component: `${className} text[${b}]`,
      expected: `${expected} image tokens in its ids`,
      actual: `${actual}`,
      hint: 'Truncation must not cut pictures, and a prefix of the image token must not be a token of its own.',
    });
  });
}
