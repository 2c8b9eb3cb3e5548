import { crossAttention } from '@mmllm/fusion-cross-attn';
import { pixelShuffleMlp } from '@mmllm/projectors';
import { decoderOf } from '../parts/decoders';
import { nvlmLayers, nvlmStages } from '../parts/nvlm';
import { dynamicTiles } from '../parts/tiling';
import { towerOf } from '../parts/towers';
import { wired } from '../parts/wired';
import type { System } from '../system';

/**
 * NVLM-X (Dai et al. 2024, arXiv:2409.11402): InternViT over tiles, pixel shuffle, one layer, and gated cross-attention in
 * Qwen2. `<Image>` marks a picture, tags for its tiles follow, and each sees its own tile alone.
 */
export const nvlmX: System = {
  name: 'NVLM-X',
  modelType: 'nvlm_x',
  wire: (json) => ({
    encoder: towerOf(json, {
      usual: 'internvl_vision',
      prefixes: ['vision_tower'],
      tiling: dynamicTiles(json),
    }),
    projector: wired(pixelShuffleMlp, json),
    fusion: nvlmLayers(json, ({ opening: _, ...options }) => crossAttention(options)),
    decoder: decoderOf(json, { usual: 'qwen2' }),
  }),
  stages: nvlmStages({ pretrainBetas: [0.9, 0.95] }),
};
