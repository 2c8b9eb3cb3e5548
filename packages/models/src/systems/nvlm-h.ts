import { hybrid } from '@mmllm/fusion-cross-attn';
import { pixelShuffleMlp } from '@mmllm/projectors';
import { decoderOf } from '../parts/decoders';
import { nvlmLayers, nvlmStages } from '../parts/nvlm';
import { dynamicTiles } from '../parts/tiling';
import { towerOf } from '../parts/towers';
import { wired } from '../parts/wired';
import type { System } from '../system';

/**
 * NVLM-H (Dai et al. 2024, arXiv:2409.11402): InternViT over tiles, pixel shuffle, two layers, Qwen2. The thumbnail stands
 * in the text behind its tag; the tiles, each with its tag, are seen through gated cross-attention.
 */
export const nvlmH: System = {
  name: 'NVLM-H',
  modelType: 'nvlm_h',
  wire: (json) => ({
    encoder: towerOf(json, {
      usual: 'internvl_vision',
      prefixes: ['vision_tower'],
      tiling: dynamicTiles(json),
    }),
    projector: wired(pixelShuffleMlp, json),
    fusion: nvlmLayers(json, (options) => hybrid({ ...options, single: 'sequence' })),
    decoder: decoderOf(json, { usual: 'qwen2' }),
  }),
  stages: nvlmStages({ pretrainBetas: [0.9, 0.98] }),
};
