import { prefixMap } from '@mmllm/checkpoints';
import { mm15 as decoder } from '@mmllm/decoders/mm15';
import { cAbstractor } from '@mmllm/projectors';
import { inText } from '../parts/fusion';
import { everything, published } from '../parts/published';
import { tilesOf } from '../parts/tiling';
import { towerOf } from '../parts/towers';
import { wired } from '../parts/wired';
import type { System } from '../system';

const summary = 'a summary of arXiv:2409.20566';

/** Section 3.3: the picture keeps its aspect on black, in four to nine tiles. */
const TILES = { minTiles: 4, maxTiles: 9, thumbnail: 'last', fit: 'pad' } as const;

/** MM1.5 (Zhang et al. 2024, arXiv:2409.20566), dense or with experts: CLIP over tiles, the overview last, C-Abstractor. */
export const mm15: System = {
  name: 'MM1.5',
  modelType: 'mm1_5',
  wire(json, preprocessing) {
    const { part, names } = wired(decoder, json);
    return {
      encoder: towerOf(json, { usual: 'clip_vision_model', tiling: tilesOf(preprocessing, TILES) }),
      projector: wired(cAbstractor, json),
      fusion: inText(),
      decoder: { part, names: prefixMap(names, { theirs: 'language_model' }) },
    };
  },
  stages: [
    published({ name: 'pretrain', policy: everything, steps: 200_000, from: summary }),
    published({
      name: 'continual',
      policy: everything,
      learningRate: 1e-5,
      batchSize: 256,
      steps: 30_000,
      schedule: 'cosine',
      from: summary,
    }),
    published({
      name: 'sft',
      policy: everything,
      learningRate: 2e-5,
      batchSize: 256,
      steps: 23_000,
      from: summary,
    }),
  ],
};
