import { pixelShuffleMlp } from '@mmllm/projectors';
import { decoderOf } from '../parts/decoders';
import { inText } from '../parts/fusion';
import { allBut, everything, published } from '../parts/published';
import { tilesOf } from '../parts/tiling';
import { towerOf } from '../parts/towers';
import { wired } from '../parts/wired';
import type { System } from '../system';

/** Those of InternVL 1.5. */
const scripts =
  'OpenGVLab/InternVL/internvl_chat/shell/internvl1.5/internlm2_20b/internvl_chat_v1_5_internlm2_20b_dynamic_res';
const shared = { epochs: 1, schedule: 'cosine', weightDecay: 0.05 } as const;

/** InternVL 1.5 and later (Chen et al. 2024, arXiv:2404.16821): InternViT over tiles, pixel shuffle, two layers; the thumbnail stands last. */
export const internVl: System = {
  name: 'InternVL',
  modelType: 'internvl',
  wire: (json, preprocessing) => ({
    encoder: towerOf(json, {
      usual: 'internvl_vision',
      tiling: tilesOf(preprocessing, { maxTiles: 12 }),
    }),
    projector: wired(pixelShuffleMlp, json),
    fusion: inText(),
    decoder: decoderOf(json, { usual: 'qwen2' }),
  }),
  stages: [
    published({
      name: 'pretrain',
      policy: allBut('decoder'),
      learningRate: 1e-5,
      batchSize: 2048,
      warmupSteps: 100,
      ...shared,
      from: `${scripts}_pretrain.sh`,
    }),
    published({
      name: 'finetune',
      policy: everything,
      learningRate: 2e-5,
      batchSize: 1024,
      ...shared,
      from: `${scripts}_finetune.sh`,
    }),
  ],
};
