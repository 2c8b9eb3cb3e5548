import { parseConfig } from '@mmllm/core';
import { z } from 'zod';
import { count, or } from '../../hugging-face/fields';
import { viewsOf } from '../arrange';
import type { MakeFamily } from '../family';
import { namedToken } from '../named-token';

const keys = z.object({ image_seq_length: or(count, 256) });

/** InternVL: start, the tokens of all tiles and of the thumbnail, end. */
export const internVl: MakeFamily = ({ processor, tokenizer }) => {
  const { image_seq_length: length } = parseConfig(
    'processor_config.json',
    keys,
    processor as z.input<typeof keys>,
  );
  const token = namedToken(tokenizer, 'InternVLProcessor');
  const [start, end, imageToken] = [
    token('start_image_token'),
    token('end_image_token'),
    token('context_image_token'),
  ];
  return {
    imageToken,
    text: { paddingSide: 'left' },
    around: [start, end],
    placeholders: ({ host }) => host.images.map(({ views }) => imageToken.repeat(length * views.length)),
    images: ({ host }) => ({ pixel_values: viewsOf(host) }),
  };
};
