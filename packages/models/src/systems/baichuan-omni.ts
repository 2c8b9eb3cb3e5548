import { pooledMlp } from '@mmllm/projectors';
import { decoderOf } from '../parts/decoders';
import { inText } from '../parts/fusion';
import { allBut, everything, only, published } from '../parts/published';
import { towerOf } from '../parts/towers';
import { wired } from '../parts/wired';
import type { System } from '../system';

const summary = 'a summary of arXiv:2410.08565';

/** The path of pictures of Baichuan-Omni (Li et al. 2024, arXiv:2410.08565): SigLIP over views, 2 × 2 pooling, two layers. */
export const baichuanOmni: System = {
  name: 'Baichuan-Omni',
  modelType: 'baichuan_omni',
  wire: (json) => ({
    encoder: towerOf(json, { usual: 'siglip_vision_model' }),
    projector: wired(pooledMlp, json),
    fusion: inText(),
    decoder: decoderOf(json, { usual: 'llama' }),
  }),
  stages: [
    published({ name: 'projector', policy: only('projector'), learningRate: 1e-3, from: summary }),
    published({ name: 'encoder', policy: allBut('decoder'), learningRate: 1e-5, from: summary }),
    published({ name: 'everything', policy: everything, learningRate: 1e-5, from: summary }),
  ],
};
