import { parseConfig } from '@mmllm/core';
import { z } from 'zod';
import { count, or } from '../../hugging-face/fields';
import { packed, paddedToLargest } from '../arrange';
import type { MakeFamily } from '../family';

const keys = z.object({
  patch_size: or(count, 16),
  spatial_merge_size: or(count, 1),
  image_token: or(z.string(), '[IMG]'),
  image_break_token: or(z.string(), '[IMG_BREAK]'),
  image_end_token: or(z.string(), '[IMG_END]'),
});

/** Pixtral and Mistral 3: a token for every block of merged patches, a break after each row, an end after the last. */
export const pixtral: MakeFamily = ({ processor, preprocessing }) => {
  const config = parseConfig('processor_config.json', keys, processor as z.input<typeof keys>);
  const block = config.patch_size * config.spatial_merge_size;
  const side = preprocessing.kind === 'packed' ? preprocessing.patchSize : config.patch_size;
  return {
    imageToken: config.image_token,
    placeholders: ({ host }) =>
      packed(host).images.map(({ views: [{ height, width }] }) => {
        const row = config.image_token.repeat(Math.floor(width / block));
        const rows = Array.from({ length: Math.floor(height / block) }, () => row);
        return rows.join(config.image_break_token) + config.image_end_token;
      }),
    images: ({ host }) => paddedToLargest(host, side),
  };
};
