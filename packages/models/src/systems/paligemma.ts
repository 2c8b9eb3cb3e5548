import { linear } from '@mmllm/projectors';
import { decoderOf } from '../parts/decoders';
import { inText } from '../parts/fusion';
import { everything, published } from '../parts/published';
import { towerOf } from '../parts/towers';
import { wired } from '../parts/wired';
import type { System } from '../system';

/** transformers says so of Gemma within PaliGemma, whose prefix sees both ways; Gemma's own rule stays causal. */
const causal = (text: unknown) => ({ ...(text as object), use_bidirectional_attention: false });

const paper = 'arXiv:2407.07726';
const summary = `a summary of ${paper}`;

/** PaliGemma (Beyer et al. 2024, arXiv:2407.07726): SigLIP, one layer, Gemma; picture and prompt see each other both ways. */
export const paligemma: System = {
  name: 'PaliGemma-3B',
  modelType: 'paligemma',
  wire: (json) => ({
    encoder: towerOf(json, { usual: 'siglip_vision_model' }),
    projector: wired(linear, json),
    // transformers counts positions from 1.
    fusion: inText({ firstPosition: 1 }),
    decoder: decoderOf({ ...json, text_config: causal(json.text_config) }, { usual: 'gemma' }),
  }),
  stages: [
    published({ name: 'pretrain-224', policy: everything, from: paper }),
    published({ name: 'pretrain-448', policy: everything, from: summary }),
    published({ name: 'pretrain-896', policy: everything, from: summary }),
    published({
      name: 'transfer',
      policy: everything,
      learningRate: 1e-5,
      from: 'google-research/big_vision/big_vision/configs/proj/paligemma/transfers/forkme.py',
    }),
  ],
};
