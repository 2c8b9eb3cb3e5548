import { composeMaps, type NameMap, type NameRule, prefixMap } from '@mmllm/checkpoints';
import { besidesVision, linearNames, normNames, patchNames } from '../shared/names';
import type { MllamaConfig } from './config';

const blockNames = (ours: string, theirs: string): NameRule[] => [
  ...normNames(`${ours}.attentionNorm`, `${theirs}.input_layernorm`),
  ...linearNames(`${ours}.selfAttention.qProj`, `${theirs}.self_attn.q_proj`),
  ...linearNames(`${ours}.selfAttention.kProj`, `${theirs}.self_attn.k_proj`),
  ...linearNames(`${ours}.selfAttention.vProj`, `${theirs}.self_attn.v_proj`),
  ...linearNames(`${ours}.selfAttention.outProj`, `${theirs}.self_attn.o_proj`),
  { ours: `${ours}.attentionGate`, theirs: `${theirs}.gate_attn` },
  ...normNames(`${ours}.mlpNorm`, `${theirs}.post_attention_layernorm`),
  ...linearNames(`${ours}.mlp.fc1`, `${theirs}.mlp.fc1`),
  ...linearNames(`${ours}.mlp.fc2`, `${theirs}.mlp.fc2`),
  { ours: `${ours}.mlpGate`, theirs: `${theirs}.gate_ffn` },
];

const tileNames = (ours: string, theirs: string, table: string): NameRule[] => [
  { ours: `${ours}.table.weight`, theirs: `${theirs}.${table}.weight` },
  { ours: `${ours}.gate`, theirs: `${theirs}.gate` },
];

const towerNames = (patchSize: number): NameMap => ({
  rules: [
    { ours: 'classToken', theirs: 'class_embedding' },
    ...patchNames(patchSize, 'patch_embedding'),
    { ours: 'positionEmbedding', theirs: 'gated_positional_embedding.embedding' },
    ...tileNames('tilePositions', 'gated_positional_embedding', 'tile_embedding'),
    ...tileNames('preTile', 'pre_tile_positional_embedding', 'embedding'),
    ...tileNames('postTile', 'post_tile_positional_embedding', 'embedding'),
    ...normNames('preNorm', 'layernorm_pre'),
    ...normNames('postNorm', 'layernorm_post'),
    ...blockNames('layers.{i}', 'transformer.layers.{i}'),
    ...blockNames('globalLayers.{i}', 'global_transformer.layers.{i}'),
  ],
});

const usual = ['vision_model', 'model.vision_model', ''];

/** The names of the tower in Hugging Face's files. */
export const mllamaNames = (
  { patchSize }: MllamaConfig,
  prefixes: string | readonly string[] = usual,
): NameMap => composeMaps(prefixMap(towerNames(patchSize), { theirs: prefixes }), besidesVision);
