import { ConfigError, parseConfig } from '@mmllm/core';
import { z } from 'zod';
import { count, or } from '../../hugging-face/fields';
import { bestResolution } from '../../prepare/best-resolution';
import type { Size } from '../../resize/size';
import { dense, filledGroups, rows, viewsOf } from '../arrange';
import type { FamilyFiles, MakeFamily } from '../family';

const keys = z.object({
  patch_size: count,
  num_additional_image_tokens: or(z.int().min(0), 0),
  vision_feature_select_strategy: z.enum(['default', 'full']).nullish(),
  image_token: or(z.string(), '<image>'),
});

function read({ processor, tokenizer }: FamilyFiles) {
  const config = parseConfig('processor_config.json', keys, processor as z.input<typeof keys>);
  return {
    patchSize: config.patch_size,
    imageToken: tokenizer.specialTokens.image_token ?? config.image_token,
    /** Tokens beside those of the grids: those that the encoder adds, less one that is dropped. */
    more: config.num_additional_image_tokens - (config.vision_feature_select_strategy === 'default' ? 1 : 0),
  };
}

/** LLaVA 1.5: a token for every patch. */
export const llava: MakeFamily = (files) => {
  const { patchSize, imageToken, more } = read(files);
  return {
    imageToken,
    placeholders({ host }) {
      const [, height, width] = dense(host).pixels.shape;
      const tokens = Math.floor(height / patchSize) * Math.floor(width / patchSize) + more;
      return host.images.map(() => imageToken.repeat(tokens));
    },
    images: ({ host }) => ({ pixel_values: viewsOf(host) }),
  };
};

/**
 * LLaVA-NeXT: the thumbnail, then the tiles without what only fills up the canvas, and a newline after each of their
 * rows. In a batch tiles are filled up with zeros to the largest number.
 *
 * Source: `LlavaNextProcessor` of transformers, after `unpad_image` in haotian-liu/LLaVA, llava/model/llava_arch.py.
 */
export const llavaNext: MakeFamily = (files) => {
  const { patchSize, imageToken, more } = read(files);
  const { preprocessing } = files;
  if (preprocessing.kind !== 'anyres') {
    throw new ConfigError({
      component: 'LlavaNextProcessor',
      expected: 'LlavaNextImageProcessor',
      actual: `one of kind '${preprocessing.kind}'`,
    });
  }
  const { tileSize, resolutions } = preprocessing;
  const side = Math.floor(tileSize / patchSize);
  const tokens = (original: Size): number => {
    const best = bestResolution(original, resolutions);
    const grid = {
      height: side * Math.floor(best.height / tileSize),
      width: side * Math.floor(best.width / tileSize),
    };
    const { height, width } = unpadded(original, grid);
    return side * side + height * width + height + more;
  };
  return {
    imageToken,
    placeholders: ({ host }) => host.images.map(({ original }) => imageToken.repeat(tokens(original))),
    images: ({ host }) => ({
      pixel_values: filledGroups(
        viewsOf(host),
        host.images.map(({ views }) => views.length),
      ),
      image_sizes: rows(host.images.map(({ original }) => [original.height, original.width])),
    }),
  };
};

/** The part of a grid of patches that shows the picture, when it is centred with its aspect kept. */
function unpadded(picture: Size, grid: Size): Size {
  // Rounded to seven places first, so that 13.999999999 is 14.
  const whole = (value: number) => Math.trunc(Number(value.toFixed(7)));
  if (picture.width / picture.height > grid.width / grid.height) {
    const height = whole(picture.height * (grid.width / picture.width));
    return { height: grid.height - 2 * Math.floor((grid.height - height) / 2), width: grid.width };
  }
  const width = whole(picture.width * (grid.height / picture.height));
  return { height: grid.height, width: grid.width - 2 * Math.floor((grid.width - width) / 2) };
}
