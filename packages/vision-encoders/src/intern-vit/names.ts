import { composeMaps, type NameMap, type NameRule, prefixMap } from '@mmllm/checkpoints';
import { besidesInModel, linearNames, normNames, patchNames } from '../shared/names';
import { packedProjectionNames } from '../shared/packed-attention-names';
import type { InternVitConfig } from './vision';

const oneName = (ours: string, theirs: string): NameRule => ({ ours, theirs });
const layer = 'layers.{i}';

/** As transformers writes the tower, without its prefix. */
export const internVitNames = (patchSize: number): NameMap => ({
  rules: [
    { ours: 'classToken', theirs: 'embeddings.cls_token', layout: 'leading-ones', count: 2 },
    ...patchNames(patchSize, 'embeddings.patch_embeddings.projection'),
    { ours: 'positionEmbedding', theirs: 'embeddings.position_embeddings', layout: 'leading-ones', count: 1 },
    ...normNames(`${layer}.attentionNorm`, 'encoder.layer.{i}.layernorm_before'),
    ...linearNames(`${layer}.selfAttention.qProj`, 'encoder.layer.{i}.attention.q_proj'),
    ...linearNames(`${layer}.selfAttention.kProj`, 'encoder.layer.{i}.attention.k_proj'),
    ...linearNames(`${layer}.selfAttention.vProj`, 'encoder.layer.{i}.attention.v_proj'),
    ...linearNames(`${layer}.selfAttention.outProj`, 'encoder.layer.{i}.attention.projection_layer'),
    oneName(`${layer}.selfAttention.qNorm.weight`, 'encoder.layer.{i}.attention.q_norm.weight'),
    oneName(`${layer}.selfAttention.kNorm.weight`, 'encoder.layer.{i}.attention.k_norm.weight'),
    ...normNames(`${layer}.mlpNorm`, 'encoder.layer.{i}.layernorm_after'),
    ...linearNames(`${layer}.mlp.fc1`, 'encoder.layer.{i}.mlp.fc1'),
    ...linearNames(`${layer}.mlp.fc2`, 'encoder.layer.{i}.mlp.fc2'),
    oneName(`${layer}.attentionScale`, 'encoder.layer.{i}.lambda_1'),
    oneName(`${layer}.mlpScale`, 'encoder.layer.{i}.lambda_2'),
    ...normNames('postNorm', 'layernorm'),
  ],
  // Stands for masked patches in its own pretraining.
  ignore: ['embeddings.mask_token'],
});

/** As OpenGVLab writes it: query, key and value are one projection. */
const originalNames = ({ patchSize, hiddenSize, numHeads, numDummyHeads = 0 }: InternVitConfig): NameMap => {
  const width = (hiddenSize / numHeads) * (numHeads + numDummyHeads);
  const block = 'encoder.layers.{i}';
  return {
    rules: [
      { ours: 'classToken', theirs: 'embeddings.class_embedding', layout: 'leading-ones', count: 2 },
      ...patchNames(patchSize, 'embeddings.patch_embedding'),
      {
        ours: 'positionEmbedding',
        theirs: 'embeddings.position_embedding',
        layout: 'leading-ones',
        count: 1,
      },
      ...normNames(`${layer}.attentionNorm`, `${block}.norm1`),
      ...packedProjectionNames(`${layer}.selfAttention`, `${block}.attn.qkv.`, width),
      ...linearNames(`${layer}.selfAttention.outProj`, `${block}.attn.proj`),
      oneName(`${layer}.selfAttention.qNorm.weight`, `${block}.attn.q_norm.weight`),
      oneName(`${layer}.selfAttention.kNorm.weight`, `${block}.attn.k_norm.weight`),
      ...normNames(`${layer}.mlpNorm`, `${block}.norm2`),
      ...linearNames(`${layer}.mlp.fc1`, `${block}.mlp.fc1`),
      ...linearNames(`${layer}.mlp.fc2`, `${block}.mlp.fc2`),
      oneName(`${layer}.attentionScale`, `${block}.ls1`),
      oneName(`${layer}.mlpScale`, `${block}.ls2`),
    ],
  };
};

/** Where the tower stands in a file; the first spelling is the one that is written. */
export const internVitPrefixes: readonly string[] = [
  '',
  'vision_tower',
  'model.vision_tower',
  'vision_model',
];

/** What a file holds besides: a projector and a language model. */
export const besidesInternVit: NameMap = {
  rules: [],
  ignore: [...besidesInModel, 'mlp1.**', 'lm_head.weight'],
};

/**
 * The names of the tower in OpenGVLab's and NVIDIA's own files.
 * @param prefixes what stands before the names: the first is written, all are loaded.
 */
export const internVitOriginalNames = (
  config: InternVitConfig,
  prefixes: string | readonly string[] = ['', 'vision_model'],
): NameMap => composeMaps(prefixMap(originalNames(config), { theirs: prefixes }), besidesInternVit);
