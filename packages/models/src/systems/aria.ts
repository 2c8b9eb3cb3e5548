import { resampler } from '@mmllm/projectors';
import { decoderOf } from '../parts/decoders';
import { inText } from '../parts/fusion';
import { everything, only, published } from '../parts/published';
import { towerOf } from '../parts/towers';
import { wired } from '../parts/wired';
import type { System } from '../system';

const paper = 'arXiv:2410.05993';

/** Aria (Li et al. 2024, arXiv:2410.05993): SigLIP on padded pictures, learned queries that read it, a decoder of experts. */
export const aria: System = {
  name: 'Aria',
  modelType: 'aria',
  wire: (json) => ({
    encoder: towerOf(json, { usual: 'idefics3_vision' }),
    projector: wired(resampler, json),
    fusion: inText(),
    decoder: decoderOf(json, { usual: 'aria_text' }),
  }),
  // Two more follow, on long texts and on instructions, of which nobody says what learns.
  stages: [
    published({ name: 'text', policy: only('decoder'), from: paper }),
    published({ name: 'multimodal', policy: everything, from: paper }),
  ],
};
