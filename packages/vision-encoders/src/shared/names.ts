import type { NameMap, NameRule } from '@mmllm/checkpoints';

/** Weight and bias of a linear layer. */
export const linearNames = (ours: string, theirs: string): NameRule[] => [
  { ours: `${ours}.weight`, theirs: `${theirs}.weight`, layout: 'linear' },
  { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
];

/** Weight and bias of a norm. */
export const normNames = (ours: string, theirs: string): NameRule[] => [
  { ours: `${ours}.weight`, theirs: `${theirs}.weight` },
  { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
];

/** The weight of a patch embedding that is a convolution in the file. */
export const patchWeightName = (theirs: string, kernel: readonly number[]): NameRule => ({
  ours: 'patchEmbedding.weight',
  theirs,
  layout: 'conv-linear',
  kernel,
});

/** The same, with its bias. */
export const patchNames = (patchSize: number, theirs: string): NameRule[] => [
  patchWeightName(`${theirs}.weight`, [patchSize, patchSize]),
  { ours: 'patchEmbedding.bias', theirs: `${theirs}.bias` },
];

/** The blocks of both towers as Hugging Face writes CLIP and SigLIP. */
const blockNames: readonly NameRule[] = [
  ...normNames('layers.{i}.attentionNorm', 'encoder.layers.{i}.layer_norm1'),
  ...linearNames('layers.{i}.selfAttention.qProj', 'encoder.layers.{i}.self_attn.q_proj'),
  ...linearNames('layers.{i}.selfAttention.kProj', 'encoder.layers.{i}.self_attn.k_proj'),
  ...linearNames('layers.{i}.selfAttention.vProj', 'encoder.layers.{i}.self_attn.v_proj'),
  ...linearNames('layers.{i}.selfAttention.outProj', 'encoder.layers.{i}.self_attn.out_proj'),
  ...normNames('layers.{i}.mlpNorm', 'encoder.layers.{i}.layer_norm2'),
  ...linearNames('layers.{i}.mlp.fc1', 'encoder.layers.{i}.mlp.fc1'),
  ...linearNames('layers.{i}.mlp.fc2', 'encoder.layers.{i}.mlp.fc2'),
];

/** A buffer of older files. */
const ignore = ['embeddings.position_ids'];

/** The image tower as Hugging Face writes CLIP and SigLIP, without the prefix of the tower. */
export const visionTowerNames = (patchSize: number): NameMap => ({
  rules: [
    { ours: 'classToken', theirs: 'embeddings.class_embedding' },
    ...patchNames(patchSize, 'embeddings.patch_embedding'),
    { ours: 'positionEmbedding', theirs: 'embeddings.position_embedding.weight' },
    // This is how every checkpoint spells it.
    ...normNames('preNorm', 'pre_layrnorm'),
    ...blockNames,
    ...normNames('postNorm', 'post_layernorm'),
  ],
  ignore,
});

/** The text tower likewise. */
export const textTowerNames: NameMap = {
  rules: [
    { ours: 'tokenEmbedding.weight', theirs: 'embeddings.token_embedding.weight' },
    { ours: 'positionEmbedding', theirs: 'embeddings.position_embedding.weight' },
    ...blockNames,
    ...normNames('finalNorm', 'final_layer_norm'),
    ...linearNames('head', 'head'),
  ],
  ignore,
};

/** Where an image tower stands in a file; the first spelling is the one that is written. */
export const visionPrefixes: readonly string[] = [
  'vision_model',
  '',
  'vision_tower',
  'vision_tower.vision_model',
];

/** What stands beside an image tower in a model that transformers writes, but for the head of words. */
export const besidesInModel: readonly string[] = [
  'multi_modal_projector.**',
  'model.multi_modal_projector.**',
  'language_model.**',
  'model.language_model.**',
];

/** What a file holds besides the image tower: the text twin, or a language model. */
export const besidesVision: NameMap = {
  rules: [],
  ignore: [
    'text_model.**',
    'text_projection.*',
    'visual_projection.*',
    'logit_scale',
    'logit_bias',
    ...besidesInModel,
    'lm_head.*',
  ],
};

/** What a file holds besides the text tower. */
export const besidesText: NameMap = {
  rules: [],
  ignore: ['vision_model.**', 'text_projection.*', 'visual_projection.*', 'logit_scale', 'logit_bias'],
};
