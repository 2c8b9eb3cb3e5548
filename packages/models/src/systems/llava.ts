import { mlp } from '@mmllm/projectors';
import { decoderOf } from '../parts/decoders';
import { inText } from '../parts/fusion';
import { towerOf } from '../parts/towers';
import { wired } from '../parts/wired';
import type { System } from '../system';

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
};
