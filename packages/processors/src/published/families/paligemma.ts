import { parseConfig } from '@mmllm/core';
import { z } from 'zod';
import type { HostArray } from '../../host-array';
import { count } from '../../hugging-face/fields';
import { viewsOf } from '../arrange';
import { type Edit, insertion, placesOf } from '../edits';
import type { MakeFamily } from '../family';

const keys = z.object({ image_seq_length: count });
const ignored = -100;

/**
 * PaliGemma: pictures, the start token, the prefix and a line feed; then the suffix, which the labels hold.
 *
 * Texts of a call in which none has an image token get one for each of their pictures, one picture to a text unless
 * they come in lists. The start token stands behind the last image token; the tokenizer adds none.
 */
export const paligemma: MakeFamily = ({ image, tokenizer }) => {
  const { image_seq_length: length } = parseConfig(
    'preprocessor_config.json',
    keys,
    image as z.input<typeof keys>,
  );
  const {
    image_token: imageToken = '<image>',
    bos_token: bos = '<bos>',
    eos_token: eos = '<eos>',
  } = tokenizer.specialTokens;
  const named = (texts: readonly string[]) => texts.some((text) => text.includes(imageToken));
  return {
    imageToken,
    prefixLm: true,
    text: { addSpecialTokens: false, returnTokenTypeIds: true },
    imagesPerText: (texts, numImages) =>
      named(texts)
        ? texts.map((text) => placesOf(imageToken, text).length)
        : texts.map((_, i) => Number(i < numImages)),
    layout: (texts, { perSample }) =>
      texts.map((text, i): Edit[] => {
        const images = named(texts) ? '' : imageToken.repeat(perSample?.[i] ?? 0);
        const last = placesOf(imageToken, text).at(-1)?.end ?? 0;
        return [insertion(last, images + bos), insertion(text.length, '\n')];
      }),
    placeholders: ({ host }) => host.images.map(() => imageToken.repeat(length)),
    images: ({ host }) => ({ pixel_values: viewsOf(host) }),
    pairs: ({ suffix }) => suffix?.map((each) => each + eos),
    tokens: ({ input_ids, token_type_ids }) => ({ labels: labelsOf(input_ids, token_type_ids!) }),
  };
};

/** The suffix has type 1; padding has type 0, like pictures and prefix. */
function labelsOf(ids: HostArray<Int32Array>, types: HostArray<Int32Array>): HostArray<Int32Array> {
  return { shape: ids.shape, data: ids.data.map((id, i) => (types.data[i] === 0 ? ignored : id)) };
}
