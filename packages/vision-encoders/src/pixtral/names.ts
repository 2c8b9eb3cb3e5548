import type { NameMap } from '@mmllm/checkpoints';
import { linearNames } from '../shared/names';

const layer = 'layers.{i}';
const block = 'transformer.layers.{i}';

/** As transformers writes the tower, without its prefix. There are no biases. */
export const pixtralNames = (patchSize: number): NameMap => ({
  rules: [
    {
      ours: 'patchEmbedding.weight',
      theirs: 'patch_conv.weight',
      layout: 'conv-linear',
      kernel: [patchSize, patchSize],
    },
    { ours: 'preNorm.weight', theirs: 'ln_pre.weight' },
    { ours: `${layer}.attentionNorm.weight`, theirs: `${block}.attention_norm.weight` },
    ...linearNames(`${layer}.selfAttention.qProj`, `${block}.attention.q_proj`),
    ...linearNames(`${layer}.selfAttention.kProj`, `${block}.attention.k_proj`),
    ...linearNames(`${layer}.selfAttention.vProj`, `${block}.attention.v_proj`),
    ...linearNames(`${layer}.selfAttention.outProj`, `${block}.attention.o_proj`),
    { ours: `${layer}.mlpNorm.weight`, theirs: `${block}.ffn_norm.weight` },
    ...linearNames(`${layer}.mlp.gateProj`, `${block}.feed_forward.gate_proj`),
    ...linearNames(`${layer}.mlp.upProj`, `${block}.feed_forward.up_proj`),
    ...linearNames(`${layer}.mlp.downProj`, `${block}.feed_forward.down_proj`),
  ],
});

/** Where the tower stands in a file; the first spelling is the one that is written. */
export const pixtralPrefixes: readonly string[] = ['vision_tower', '', 'model.vision_tower'];

/** What a file holds besides: a projector and a language model. */
export const besidesPixtral: NameMap = {
  rules: [],
  ignore: [
    'multi_modal_projector.**',
    'model.multi_modal_projector.**',
    'language_model.**',
    'model.language_model.**',
    'lm_head.weight',
  ],
};
