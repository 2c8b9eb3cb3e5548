import type { NameMap, NameRule } from '@mmllm/checkpoints';
import { linearNames } from '../shared/names';
import type { PersimmonConfig } from './config';

const theirs = 'model.layers.{i}';

const normNames = (ours: string, name: string): NameRule[] => [
  { ours: `${ours}.weight`, theirs: `${name}.weight` },
  { ours: `${ours}.bias`, theirs: `${name}.bias` },
];

/** Queries, keys and values lie in one projection, head by head. */
const fusedNames = (headSize: number): NameRule[] =>
  ['qProj', 'kProj', 'vProj'].flatMap((projection, index): NameRule[] => {
    const ours = `layers.{i}.selfAttention.${projection}`;
    const joint = `${theirs}.self_attn.query_key_value`;
    const blocks = { size: headSize, index, of: 3 };
    return [
      { ours: `${ours}.weight`, theirs: `${joint}.weight`, layout: 'linear', blocks },
      { ours: `${ours}.bias`, theirs: `${joint}.bias`, blocks },
    ];
  });

/** The names of transformers' `PersimmonForCausalLM`. */
export const persimmonNames = ({
  hiddenSize,
  numHeads,
}: Pick<PersimmonConfig, 'hiddenSize' | 'numHeads'>): NameMap => ({
  rules: [
    { ours: 'embedTokens.weight', theirs: 'model.embed_tokens.weight' },
    ...normNames('layers.{i}.attentionNorm', `${theirs}.input_layernorm`),
    ...fusedNames(hiddenSize / numHeads),
    ...normNames('layers.{i}.selfAttention.qNorm', `${theirs}.self_attn.q_layernorm`),
    ...normNames('layers.{i}.selfAttention.kNorm', `${theirs}.self_attn.k_layernorm`),
    ...linearNames('layers.{i}.selfAttention.outProj', `${theirs}.self_attn.dense`),
    ...normNames('layers.{i}.mlpNorm', `${theirs}.post_attention_layernorm`),
    ...linearNames('layers.{i}.mlp.fc1', `${theirs}.mlp.dense_h_to_4h`),
    ...linearNames('layers.{i}.mlp.fc2', `${theirs}.mlp.dense_4h_to_h`),
    ...normNames('norm', 'model.final_layernorm'),
    { ours: 'head.weight', theirs: 'lm_head.weight', layout: 'linear' },
  ],
  ignore: ['lm_head.weight', `${theirs}.self_attn.rotary_emb.inv_freq`],
});
