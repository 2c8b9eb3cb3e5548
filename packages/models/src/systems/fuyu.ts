import { rowEnds } from '@mmllm/fusion-unified';
import { linear } from '@mmllm/projectors';
import { fuyu as rawPatches } from '@mmllm/vision-encoders/fuyu';
import { z } from 'zod';
import { readConfig } from '../parts/config';
import { decoderOf } from '../parts/decoders';
import { inText } from '../parts/fusion';
import type { System } from '../system';

const schema = z.looseObject({
  patch_size: z.int().positive().default(30),
  num_channels: z.literal(3).default(3),
});

/**
 * Fuyu-8B (Bavishi et al. 2023): no tower at all. Raw patches, one layer, Persimmon; each row of a picture ends in a
 * token. It has no stages here: how it was trained is not published.
 */
export const fuyu: System = {
  name: 'Fuyu-8B',
  modelType: 'fuyu',
  wire: (json) => ({
    encoder: { part: rawPatches({ patchSize: readConfig(schema, json).patch_size }), names: { rules: [] } },
    projector: {
      part: linear(),
      names: {
        rules: [
          { ours: 'layers.0.weight', theirs: 'vision_embed_tokens.weight', layout: 'linear' },
          { ours: 'layers.0.bias', theirs: 'vision_embed_tokens.bias' },
        ],
      },
    },
    fusion: inText({ arrangement: rowEnds({ row: '|NEWLINE|' }) }),
    decoder: decoderOf(json, { usual: 'persimmon' }),
  }),
  stages: [],
};
