import type { NameMap, NameRule } from '@mmllm/checkpoints';

/** Weight and bias of a linear layer. */
export const linearNames = (ours: string, theirs: string): NameRule[] => [
  { ours: `${ours}.weight`, theirs: `${theirs}.weight`, layout: 'linear' },
  { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
];

const theirs = 'model.layers.{i}';

/** Attention as transformers names it in most families. */
export const attentionNames: readonly NameRule[] = [
  ['qProj', 'q_proj'],
  ['kProj', 'k_proj'],
  ['vProj', 'v_proj'],
  ['outProj', 'o_proj'],
].flatMap(([ours, name]) => linearNames(`layers.{i}.selfAttention.${ours}`, `${theirs}.self_attn.${name}`));

/** A gated MLP as transformers names it. @param within what stands between the layer and its projections, such as `mlp` */
export const gatedMlpNames = (ours: string, within: string): NameRule[] =>
  [
    ['gateProj', 'gate_proj'],
    ['upProj', 'up_proj'],
    ['downProj', 'down_proj'],
  ].flatMap(([name, file]) => linearNames(`layers.{i}.${ours}.${name}`, `${theirs}.${within}.${file}`));

/** Embedding, norms and head of most families. */
export const outerNames: readonly NameRule[] = [
  { ours: 'embedTokens.weight', theirs: 'model.embed_tokens.weight' },
  { ours: 'layers.{i}.attentionNorm.weight', theirs: `${theirs}.input_layernorm.weight` },
  { ours: 'layers.{i}.mlpNorm.weight', theirs: `${theirs}.post_attention_layernorm.weight` },
  { ours: 'norm.weight', theirs: 'model.norm.weight' },
  { ours: 'head.weight', theirs: 'lm_head.weight', layout: 'linear' },
];

/** A tied head is often stored twice, and old files hold the rotation's wavelengths. */
export const ignoredNames: readonly string[] = [
  'lm_head.weight',
  'model.layers.{i}.self_attn.rotary_emb.inv_freq',
];

/** The names of transformers' `LlamaForCausalLM`, which most families use. */
export const llamaNames: NameMap = {
  rules: [...outerNames, ...attentionNames, ...gatedMlpNames('mlp', 'mlp')],
  ignore: ignoredNames,
};
