import { mlp } from '@mmllm/projectors';
import { decoderOf } from '../parts/decoders';
import { inText } from '../parts/fusion';
import { allBut, only, published } from '../parts/published';
import { towerOf } from '../parts/towers';
import { wired } from '../parts/wired';
import type { System } from '../system';

const code = 'haotian-liu/LLaVA';
const shared = { epochs: 1, schedule: 'cosine', weightDecay: 0 } as const;
/** The scripts count samples of one GPU. */
const readme = { batchSize: `${code} README` };

/** LLaVA-1.5 (Liu et al. 2023, arXiv:2310.03744): CLIP's last block but one, two layers, LLaMA. */
export const llava: System = {
  name: 'LLaVA-1.5',
  modelType: 'llava',
  wire: (json) => ({
    encoder: towerOf(json, { usual: 'clip_vision_model' }),
    projector: wired(mlp, json),
    fusion: inText(),
    decoder: decoderOf(json, { usual: 'llama' }),
  }),
  stages: [
    published({
      name: 'pretrain',
      policy: only('projector'),
      learningRate: 1e-3,
      ...shared,
      batchSize: 256,
      from: `${code}/scripts/v1_5/pretrain.sh`,
      sources: readme,
    }),
    published({
      name: 'finetune',
      policy: allBut('encoder'),
      learningRate: 2e-5,
      ...shared,
      batchSize: 128,
      from: `${code}/scripts/v1_5/finetune.sh`,
      sources: readme,
    }),
  ],
};
