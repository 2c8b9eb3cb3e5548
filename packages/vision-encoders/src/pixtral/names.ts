import { composeMaps, type NameMap, type NameRule, prefixMap } from '@mmllm/checkpoints';
import { linearNames } from '../shared/names';
import type { PixtralConfig } from './vision';

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

/**
 * The names of the tower in Mistral's own files, where rotary positions turn neighbouring channels: the rows of queries and
 * keys are moved to where they turn as two halves.
 */
export function pixtralOriginalNames({ patchSize = 16, numHeads }: PixtralConfig): NameMap {
  const linear = (ours: string, theirs: string, interleavedHeads?: number): NameRule => ({
    ours: `${layer}.${ours}.weight`,
    theirs: `${block}.${theirs}.weight`,
    layout: 'linear',
    interleavedHeads,
  });
  const tower: NameMap = {
    rules: [
      {
        ours: 'patchEmbedding.weight',
        theirs: 'patch_conv.weight',
        layout: 'conv-linear',
        kernel: [patchSize, patchSize],
      },
      { ours: 'preNorm.weight', theirs: 'ln_pre.weight' },
      { ours: `${layer}.attentionNorm.weight`, theirs: `${block}.attention_norm.weight` },
      linear('selfAttention.qProj', 'attention.wq', numHeads),
      linear('selfAttention.kProj', 'attention.wk', numHeads),
      linear('selfAttention.vProj', 'attention.wv'),
      linear('selfAttention.outProj', 'attention.wo'),
      { ours: `${layer}.mlpNorm.weight`, theirs: `${block}.ffn_norm.weight` },
      linear('mlp.gateProj', 'feed_forward.w1'),
      linear('mlp.downProj', 'feed_forward.w2'),
      linear('mlp.upProj', 'feed_forward.w3'),
    ],
  };
  return composeMaps(prefixMap(tower, { theirs: 'vision_encoder' }), {
    rules: [],
    ignore: [
      'vision_language_adapter.**',
      'layers.**',
      'norm.weight',
      'output.weight',
      'tok_embeddings.weight',
    ],
  });
}
