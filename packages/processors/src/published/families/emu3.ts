import { ConfigError } from '@mmllm/core';
import { roundHalfEven } from '../../prepare/rounding';
import { packed, paddedToLargest, rows } from '../arrange';
import { type Edit, insertion } from '../edits';
import type { FamilyOptions, MakeFamily } from '../family';
import { namedToken } from '../named-token';

/** Pixels of a side that become one code; transformers has it fixed. */
const cell = 8;

/**
 * Emu3: start, `rows*columns` of its codes, wrapper, a token for each code and for the end of each row, end of frame,
 * end. The start token of the text comes from here. A prompt for a picture to be made ends behind the wrapper.
 */
export const emu3: MakeFamily = ({ tokenizer, preprocessing }) => {
  const token = namedToken(tokenizer, 'Emu3Processor');
  const [imageToken, start, end] = [token('image_token'), token('boi_token'), token('eoi_token')];
  const [wrapper, endOfFrame, bos] = [token('image_wrapper_token'), token('eof_token'), token('bos_token')];
  const side = preprocessing.kind === 'packed' ? preprocessing.patchSize : cell;
  const head = (height: number, width: number) => `${start}${height}*${width}${wrapper}`;
  return {
    imageToken,
    layout: (texts, { options, addSpecialTokens }) =>
      texts.map((text): Edit[] => [
        ...(addSpecialTokens ? [insertion(0, bos)] : []),
        ...(options.generate === 'image' ? [insertion(text.length, head(...generatedSize(options)))] : []),
      ]),
    placeholders: ({ host }) =>
      packed(host).images.map(({ views: [view] }) => {
        const [height, width] = [Math.floor(view.height / cell), Math.floor(view.width / cell)];
        return head(height, width) + imageToken.repeat(height * (width + 1)) + endOfFrame + end;
      }),
    images: ({ host }) => paddedToLargest(host, side),
    tokens: ({ input_ids }, _images, options) =>
      options.generate === 'image'
        ? { image_sizes: rows(Array.from({ length: input_ids.shape[0] }, () => generatedSize(options))) }
        : {},
  };
};

/** Rows and columns of the codes of a picture to be made. */
function generatedSize({ ratio = '1:1', imageArea = 720 * 720 }: FamilyOptions): [number, number] {
  const sides = /^(\d+):(\d+)$/.exec(ratio)?.slice(1).map(Number);
  if (!sides || sides[0] * sides[1] === 0) {
    throw new ConfigError({ component: 'ratio', expected: "'width:height'", actual: `'${ratio}'` });
  }
  const [width, height] = sides;
  const scale = Math.sqrt(imageArea / (width * height));
  return [roundHalfEven((height * scale) / cell), roundHalfEven((width * scale) / cell)];
}
