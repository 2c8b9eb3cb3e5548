import type { NameRule } from '@mmllm/checkpoints';

/**
 * One gated cross-attention layer as transformers names it.
 * @param theirs what stands before its names
 */
export const crossLayerNames = (ours: string, theirs: string): NameRule[] => [
  { ours: `${ours}.attentionNorm.weight`, theirs: `${theirs}.input_layernorm.weight` },
  ...(['q', 'k', 'v'] as const).map(
    (name): NameRule => ({
      ours: `${ours}.crossAttention.${name}Proj.weight`,
      theirs: `${theirs}.cross_attn.${name}_proj.weight`,
      layout: 'linear',
    }),
  ),
  {
    ours: `${ours}.crossAttention.outProj.weight`,
    theirs: `${theirs}.cross_attn.o_proj.weight`,
    layout: 'linear',
  },
  { ours: `${ours}.crossAttention.qNorm.weight`, theirs: `${theirs}.cross_attn.q_norm.weight` },
  { ours: `${ours}.crossAttention.kNorm.weight`, theirs: `${theirs}.cross_attn.k_norm.weight` },
  { ours: `${ours}.attentionGate`, theirs: `${theirs}.cross_attn_attn_gate` },
  { ours: `${ours}.mlpNorm.weight`, theirs: `${theirs}.post_attention_layernorm.weight` },
  ...(['gate', 'up', 'down'] as const).map(
    (name): NameRule => ({
      ours: `${ours}.mlp.${name}Proj.weight`,
      theirs: `${theirs}.mlp.${name}_proj.weight`,
      layout: 'linear',
    }),
  ),
  { ours: `${ours}.mlpGate`, theirs: `${theirs}.cross_attn_mlp_gate` },
];
