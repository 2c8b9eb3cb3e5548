/** For tests: maps for the checkpoints in fixtures/cases, with paths such as this project uses. Not exported. */
import { composeMaps, type NameMap, type NameRule, prefixMap } from './name-map';

/** A weight in the linear layout, and its bias. */
const linear = (ours: string, theirs: string): NameRule[] => [
  { ours: `${ours}.weight`, theirs: `${theirs}.weight`, layout: 'linear' },
  { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
];

const norm = (ours: string, theirs: string): NameRule[] => [
  { ours: `${ours}.weight`, theirs: `${theirs}.weight` },
  { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
];

export const llamaMap: NameMap = {
  rules: [
    { ours: 'embedTokens', theirs: 'model.embed_tokens.weight' },
    ...['q', 'k', 'v', 'o'].map(
      (name): NameRule => ({
        ours: `layers.{i}.selfAttention.${name}Proj.weight`,
        theirs: `model.layers.{i}.self_attn.${name}_proj.weight`,
        layout: 'linear',
      }),
    ),
    ...['gate', 'up', 'down'].map(
      (name): NameRule => ({
        ours: `layers.{i}.mlp.${name}Proj.weight`,
        theirs: `model.layers.{i}.mlp.${name}_proj.weight`,
        layout: 'linear',
      }),
    ),
    { ours: 'layers.{i}.inputNorm.weight', theirs: 'model.layers.{i}.input_layernorm.weight' },
    { ours: 'layers.{i}.mlpNorm.weight', theirs: 'model.layers.{i}.post_attention_layernorm.weight' },
    { ours: 'norm.weight', theirs: 'model.norm.weight' },
    { ours: 'lmHead.weight', theirs: 'lm_head.weight', layout: 'linear' },
  ],
};

/** The layers and final norm that CLIP's and SigLIP's towers share. */
const tower = (finalNorm: string): NameRule[] => [
  ...['q', 'k', 'v', 'out'].flatMap((name) =>
    linear(`layers.{i}.attention.${name}Proj`, `encoder.layers.{i}.self_attn.${name}_proj`),
  ),
  ...['fc1', 'fc2'].flatMap((name) => linear(`layers.{i}.mlp.${name}`, `encoder.layers.{i}.mlp.${name}`)),
  ...['1', '2'].flatMap((name) => norm(`layers.{i}.norm${name}`, `encoder.layers.{i}.layer_norm${name}`)),
  ...norm('finalNorm', finalNorm),
];

const textTower: NameMap = {
  rules: [
    { ours: 'tokens', theirs: 'embeddings.token_embedding.weight' },
    { ours: 'positions', theirs: 'embeddings.position_embedding.weight' },
    ...tower('final_layer_norm'),
  ],
};

const patches = (theirs: string, size: number): NameRule => ({
  ours: 'patches.weight',
  theirs: `${theirs}.weight`,
  layout: 'conv-linear',
  kernel: [size, size],
});

export const clipMap = (patchSize: number): NameMap =>
  composeMaps(
    prefixMap(textTower, { ours: 'text', theirs: 'text_model' }),
    prefixMap(
      {
        rules: [
          patches('embeddings.patch_embedding', patchSize),
          { ours: 'classToken', theirs: 'embeddings.class_embedding' },
          { ours: 'positions', theirs: 'embeddings.position_embedding.weight' },
          ...norm('preNorm', 'pre_layrnorm'),
          ...tower('post_layernorm'),
        ],
      },
      { ours: 'vision', theirs: ['vision_model', 'vision_tower.vision_model'] },
    ),
    {
      rules: [
        { ours: 'textProjection', theirs: 'text_projection.weight', layout: 'linear' },
        { ours: 'visualProjection', theirs: 'visual_projection.weight', layout: 'linear' },
        { ours: 'logitScale', theirs: 'logit_scale' },
      ],
      ignore: ['*.embeddings.position_ids'],
    },
  );

/** The pooling head keeps query, key and value in one tensor, one below the other. */
const jointAttention = (width: number): NameRule[] =>
  ['q', 'k', 'v'].flatMap((name, index): NameRule[] => {
    const rows = [index * width, (index + 1) * width] as const;
    return [
      { ours: `head.${name}Proj.weight`, theirs: 'head.attention.in_proj_weight', layout: 'linear', rows },
      { ours: `head.${name}Proj.bias`, theirs: 'head.attention.in_proj_bias', rows },
    ];
  });

export const siglipMap = (patchSize: number, width: number): NameMap =>
  composeMaps(
    prefixMap(
      { rules: [...textTower.rules, ...linear('head', 'head')] },
      { ours: 'text', theirs: 'text_model' },
    ),
    prefixMap(
      {
        rules: [
          patches('embeddings.patch_embedding', patchSize),
          { ours: 'patches.bias', theirs: 'embeddings.patch_embedding.bias' },
          { ours: 'positions', theirs: 'embeddings.position_embedding.weight' },
          ...tower('post_layernorm'),
          { ours: 'head.probe', theirs: 'head.probe', layout: 'leading-ones', count: 2 },
          ...jointAttention(width),
          ...linear('head.outProj', 'head.attention.out_proj'),
          ...norm('head.norm', 'head.layernorm'),
          ...linear('head.fc1', 'head.mlp.fc1'),
          ...linear('head.fc2', 'head.mlp.fc2'),
        ],
      },
      { ours: 'vision', theirs: 'vision_model' },
    ),
    {
      rules: [
        { ours: 'logitScale', theirs: 'logit_scale' },
        { ours: 'logitBias', theirs: 'logit_bias' },
      ],
    },
  );

export const vitMap = (patchSize: number): NameMap => ({
  rules: [
    { ours: 'classToken', theirs: 'embeddings.cls_token', layout: 'leading-ones', count: 2 },
    { ours: 'positions', theirs: 'embeddings.position_embeddings', layout: 'leading-ones', count: 1 },
    patches('embeddings.patch_embeddings.projection', patchSize),
    { ours: 'patches.bias', theirs: 'embeddings.patch_embeddings.projection.bias' },
    ...['query', 'key', 'value'].flatMap((name) =>
      linear(`layers.{i}.attention.${name}`, `encoder.layer.{i}.attention.attention.${name}`),
    ),
    ...linear('layers.{i}.attention.output', 'encoder.layer.{i}.attention.output.dense'),
    ...linear('layers.{i}.mlp.fc1', 'encoder.layer.{i}.intermediate.dense'),
    ...linear('layers.{i}.mlp.fc2', 'encoder.layer.{i}.output.dense'),
    ...norm('layers.{i}.norm1', 'encoder.layer.{i}.layernorm_before'),
    ...norm('layers.{i}.norm2', 'encoder.layer.{i}.layernorm_after'),
    ...norm('finalNorm', 'layernorm'),
    ...linear('pooler', 'pooler.dense'),
  ],
});
