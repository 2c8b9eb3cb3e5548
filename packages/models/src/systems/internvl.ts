import { pixelShuffleMlp } from '@mmllm/projectors';
import { decoderOf } from '../parts/decoders';
import { inText } from '../parts/fusion';
import { towerOf } from '../parts/towers';
import { wired } from '../parts/wired';
import type { System } from '../system';

/** InternVL 1.5 and later (Chen et al. 2024, arXiv:2404.16821): InternViT over tiles, pixel shuffle, two layers; the thumbnail stands last. */
export const internVl: System = {
  name: 'InternVL',
  modelType: 'internvl',
  wire: (json) => ({
    encoder: towerOf(json, { usual: 'internvl_vision' }),
    projector: wired(pixelShuffleMlp, json),
    fusion: inText(),
    decoder: decoderOf(json, { usual: 'qwen2' }),
  }),
};
