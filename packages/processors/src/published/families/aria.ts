import { ConfigError, parseConfig } from '@mmllm/core';
import { z } from 'zod';
import type { HostArray } from '../../host-array';
import { count, or } from '../../hugging-face/fields';
import type { HostDense } from '../../prepare/host';
import { dense, viewsOf } from '../arrange';
import type { MakeFamily } from '../family';

const keys = z.object({ size_conversion: or(z.record(z.string(), count), { 490: 128, 980: 256 }) });

/** Aria: as many tokens as the size of its squares stands for, for every tile. */
export const aria: MakeFamily = ({ processor, tokenizer }) => {
  const { size_conversion: sizes } = parseConfig(
    'processor_config.json',
    keys,
    processor as z.input<typeof keys>,
  );
  const { image_token: imageToken = '<|img|>' } = tokenizer.specialTokens;
  return {
    imageToken,
    placeholders({ host }) {
      const [, side] = dense(host).pixels.shape;
      const tokens = sizes[side];
      if (!tokens) {
        throw new ConfigError({
          component: 'processor_config.json.size_conversion',
          expected: `an entry for pictures of ${side} pixels`,
          actual: JSON.stringify(sizes),
        });
      }
      // The reference takes the largest number of tiles for all.
      const tiles = Math.max(...host.images.map(({ views }) => views.length));
      return host.images.map(() => imageToken.repeat(tokens * tiles));
    },
    images: ({ host }) => ({ pixel_values: viewsOf(host), pixel_mask: pixelMask(dense(host)) }),
  };
};

/** int32[views, height, width]: 1 where the picture is. */
function pixelMask({ pixels, content = [] }: HostDense): HostArray<Int32Array> {
  const [views, height, width] = pixels.shape;
  const data = new Int32Array(views * height * width);
  content.forEach((part, view) => {
    for (let row = 0; row < part.height; row++) {
      const at = (view * height + part.top + row) * width + part.left;
      data.fill(1, at, at + part.width);
    }
  });
  return { data, shape: [views, height, width] };
}
