import { composeMaps, type NameMap, type NameRule, prefixMap } from '@mmllm/checkpoints';
import { besidesInModel, patchWeightName } from '../shared/names';
import type { PixtralConfig } from './vision';

/** What a layout calls the projections of a block. */
interface ProjectionNames {
  readonly attention: { readonly q: string; readonly k: string; readonly v: string; readonly out: string };
  readonly mlp: { readonly gate: string; readonly up: string; readonly down: string };
  /** Heads of queries and keys, where rotary positions turn neighbouring channels. */
  readonly interleavedHeads?: number;
}

const layer = 'layers.{i}';
const block = 'transformer.layers.{i}';

/** The tower without its prefix. There are no biases. */
function towerNames(patchSize: number, { attention, mlp, interleavedHeads }: ProjectionNames): NameMap {
  const weight = (ours: string, theirs: string) => ({
    ours: `${layer}.${ours}.weight`,
    theirs: `${block}.${theirs}.weight`,
  });
  const linear = (ours: string, theirs: string, heads?: number): NameRule => ({
    ...weight(ours, theirs),
    layout: 'linear',
    interleavedHeads: heads,
  });
  return {
    rules: [
      patchWeightName('patch_conv.weight', [patchSize, patchSize]),
      { ours: 'preNorm.weight', theirs: 'ln_pre.weight' },
      weight('attentionNorm', 'attention_norm'),
      linear('selfAttention.qProj', `attention.${attention.q}`, interleavedHeads),
      linear('selfAttention.kProj', `attention.${attention.k}`, interleavedHeads),
      linear('selfAttention.vProj', `attention.${attention.v}`),
      linear('selfAttention.outProj', `attention.${attention.out}`),
      weight('mlpNorm', 'ffn_norm'),
      linear('mlp.gateProj', `feed_forward.${mlp.gate}`),
      linear('mlp.upProj', `feed_forward.${mlp.up}`),
      linear('mlp.downProj', `feed_forward.${mlp.down}`),
    ],
  };
}

/**
 * As transformers writes the tower.
 * @param prefixes where it stands in a file: the first is written, all are loaded.
 */
export function pixtralNames(
  { patchSize = 16 }: PixtralConfig,
  prefixes: string | readonly string[] = ['vision_tower', '', 'model.vision_tower'],
): NameMap {
  const names = towerNames(patchSize, {
    attention: { q: 'q_proj', k: 'k_proj', v: 'v_proj', out: 'o_proj' },
    mlp: { gate: 'gate_proj', up: 'up_proj', down: 'down_proj' },
  });
  // A projector and a language model.
  const ignore = [...besidesInModel, 'lm_head.weight'];
  return composeMaps(prefixMap(names, { theirs: prefixes }), { rules: [], ignore });
}

/**
 * The names of the tower in Mistral's own files, where rotary positions turn neighbouring channels: the rows of queries and
 * keys are moved to where they turn as two halves.
 * @param prefixes where it stands in a file: the first is written, all are loaded.
 */
export function pixtralOriginalNames(
  { patchSize = 16, numHeads }: PixtralConfig,
  prefixes: string | readonly string[] = 'vision_encoder',
): NameMap {
  const names = towerNames(patchSize, {
    attention: { q: 'wq', k: 'wk', v: 'wv', out: 'wo' },
    mlp: { gate: 'w1', up: 'w3', down: 'w2' },
    interleavedHeads: numHeads,
  });
  // A projector and a language model.
  const ignore = [
    'vision_language_adapter.**',
    'patch_merger.**',
    'pre_mm_projector_norm.weight',
    'layers.**',
    'norm.weight',
    'output.weight',
    'tok_embeddings.weight',
  ];
  return composeMaps(prefixMap(names, { theirs: prefixes }), { rules: [], ignore });
}
