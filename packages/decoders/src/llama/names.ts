import type { NameMap } from '@mmllm/checkpoints';

const layer = 'layers.{i}';
const linear = (ours: string, theirs: string) => [
  { ours: `${ours}.weight`, theirs: `model.${theirs}.weight`, layout: 'linear' as const },
  { ours: `${ours}.bias`, theirs: `model.${theirs}.bias` },
];

/** The names of transformers' `LlamaForCausalLM`. Also those of the other families with this layout. */
export const llamaNames: NameMap = {
  rules: [
    { ours: 'embedTokens.weight', theirs: 'model.embed_tokens.weight' },
    { ours: `${layer}.attentionNorm.weight`, theirs: `model.${layer}.input_layernorm.weight` },
    ...linear(`${layer}.selfAttention.qProj`, `${layer}.self_attn.q_proj`),
    ...linear(`${layer}.selfAttention.kProj`, `${layer}.self_attn.k_proj`),
    ...linear(`${layer}.selfAttention.vProj`, `${layer}.self_attn.v_proj`),
    ...linear(`${layer}.selfAttention.outProj`, `${layer}.self_attn.o_proj`),
    { ours: `${layer}.mlpNorm.weight`, theirs: `model.${layer}.post_attention_layernorm.weight` },
    ...linear(`${layer}.mlp.gateProj`, `${layer}.mlp.gate_proj`),
    ...linear(`${layer}.mlp.upProj`, `${layer}.mlp.up_proj`),
    ...linear(`${layer}.mlp.downProj`, `${layer}.mlp.down_proj`),
    { ours: 'norm.weight', theirs: 'model.norm.weight' },
    { ours: 'head.weight', theirs: 'lm_head.weight', layout: 'linear' },
  ],
  // A tied head is often stored twice, and old files hold the rotation's wavelengths.
  ignore: ['lm_head.weight', 'model.layers.{i}.self_attn.rotary_emb.inv_freq'],
};
