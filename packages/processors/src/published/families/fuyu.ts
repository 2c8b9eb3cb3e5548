import type { TokenBatch } from '../../tokenizer/batch';
import { padRows } from '../../tokenizer/pad-rows';
import type { JsonTokenizer } from '../../tokenizer/tokenizer';
import { packed } from '../arrange';
import { insertion } from '../edits';
import type { MakeFamily } from '../family';

const imageToken = '|SPEAKER|';
const newline = '|NEWLINE|';
const bos = '<s>';
const answer = '<0x04>';

/**
 * Fuyu: rows of patches that each end in a newline, the start token, the text and the token that begins an answer; one
 * picture a sample, always padded on the left. Without any picture a call is tokenised and padded as usual.
 *
 * `<box>` and `<point>` stay as they are in the text: see `fuyuCoordinates`.
 */
export const fuyu: MakeFamily = ({ tokenizer, preprocessing }) => {
  const side = preprocessing.kind === 'patches' ? preprocessing.patchSize : 1;
  return {
    imageToken,
    imagesPerText: (texts, numImages) => texts.map((_, i) => Number(i < numImages)),
    layout: (texts, { perSample }) =>
      texts.map((text, i) =>
        perSample ? [insertion(0, perSample[i] > 0 ? imageToken : ''), insertion(text.length, answer)] : [],
      ),
    placeholders: ({ host }) =>
      packed(host).images.map(({ views: [{ height, width }] }) => {
        const row = imageToken.repeat(width / side) + newline;
        return row.repeat(height / side);
      }),
    around: ['', bos],
    images: ({ host }) => ({ image_patches: packed(host).patches }),
    tokenize: (texts, options, hasImages) =>
      hasImages ? inTwoParts(tokenizer, texts) : tokenizer.batch(texts, options),
  };
};

/**
 * Pictures and text are tokenised apart, each without special tokens, and the first id of the pictures is dropped: the
 * ▁ that the normaliser puts in front.
 */
function inTwoParts(tokenizer: JsonTokenizer, texts: readonly string[]): TokenBatch {
  const options = { addSpecialTokens: false };
  const rows = texts.map((text) => {
    const end = text.indexOf(bos) + bos.length;
    if (end < bos.length) return tokenizer.encoding(text, options).ids;
    const pictures = tokenizer.encoding(text.slice(0, end), options).ids.subarray(1);
    return Int32Array.of(...pictures, ...tokenizer.encoding(text.slice(end), options).ids);
  });
  // The pad token has id 0, whatever the files say.
  const length = Math.max(...rows.map((row) => row.length));
  return {
    input_ids: padRows(rows, length, 0, 'left'),
    attention_mask: padRows(
      rows.map((row) => row.map(() => 1)),
      length,
      0,
      'left',
    ),
    encodings: [],
  };
}
