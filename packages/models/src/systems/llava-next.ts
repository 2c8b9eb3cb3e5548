import { anyRes } from '@mmllm/fusion-unified';
import { trained } from '@mmllm/trainer';
import { z } from 'zod';
import { readConfig } from '../parts/config';
import { inText } from '../parts/fusion';
import { only, published } from '../parts/published';
import { towerOf } from '../parts/towers';
import type { System } from '../system';
import { llava } from './llava';

const side = z.int().positive();
const pinpoints = [
  [336, 672],
  [672, 336],
  [672, 672],
  [1008, 336],
  [336, 1008],
] as [number, number][];
const schema = z.looseObject({
  image_grid_pinpoints: z
    .array(z.tuple([side, side]))
    .nonempty()
    .default(() => pinpoints),
});

/** They count samples of one GPU, and nobody says how many GPUs there were. */
const scripts = 'LLaVA-VL/LLaVA-NeXT/scripts/train';
const shared = { epochs: 1, schedule: 'cosine', weightDecay: 0 } as const;

/** LLaVA-NeXT (Liu et al. 2024): LLaVA with the tiles of a larger view, whose rows end in a learned newline. */
export const llavaNext: System = {
  name: 'LLaVA-NeXT',
  modelType: 'llava_next',
  wire(json) {
    const sizes = readConfig(schema, json).image_grid_pinpoints;
    const resolutions = sizes.map(([height, width]) => ({ height, width }));
    return {
      ...llava.wire(json),
      encoder: towerOf(json, { usual: 'clip_vision_model', tiling: { resolutions } }),
      fusion: inText({ arrangement: anyRes }, 'image_newline'),
    };
  },
  stages: [
    published({
      name: 'pretrain',
      policy: only('projector'),
      learningRate: 1e-3,
      ...shared,
      from: `${scripts}/pretrain_clip.sh`,
    }),
    published({
      name: 'finetune',
      policy: [
        ['encoder', trained({ learningRate: 2e-6 })],
        ['**', trained()],
      ],
      learningRate: 1e-5,
      ...shared,
      from: `${scripts}/finetune_clip.sh`,
    }),
  ],
};
