import { composeMaps, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { linearNames, normNames } from '../shared/names';
import type { MolmoConfig } from './config';

const block = 'image_vit.transformer.resblocks.{i}';

const backboneNames: NameMap = {
  rules: [
    { ours: 'tower.classToken', theirs: 'image_vit.class_embedding' },
    { ours: 'tower.patchEmbedding.weight', theirs: 'image_vit.patch_embedding.weight', layout: 'linear' },
    { ours: 'tower.positionEmbedding', theirs: 'image_vit.positional_embedding' },
    ...normNames('tower.preNorm', 'image_vit.pre_ln'),
    ...normNames('tower.layers.{i}.attentionNorm', `${block}.attention_norm`),
    ...linearNames('tower.layers.{i}.selfAttention.qProj', `${block}.attention.wq`),
    ...linearNames('tower.layers.{i}.selfAttention.kProj', `${block}.attention.wk`),
    ...linearNames('tower.layers.{i}.selfAttention.vProj', `${block}.attention.wv`),
    ...linearNames('tower.layers.{i}.selfAttention.outProj', `${block}.attention.wo`),
    ...normNames('tower.layers.{i}.mlpNorm', `${block}.ffn_norm`),
    ...linearNames('tower.layers.{i}.mlp.fc1', `${block}.feed_forward.w1`),
    ...linearNames('tower.layers.{i}.mlp.fc2', `${block}.feed_forward.w2`),
    { ours: 'paddingEmbedding', theirs: 'pad_embed' },
  ],
  // The projector stands beside the tower.
  ignore: ['image_pooling_2d.**', 'image_projector.**'],
};

const besides: NameMap = { rules: [], ignore: ['model.transformer.**', 'transformer.**'] };

const usual = ['model.vision_backbone', 'vision_backbone', ''];

/** The names of the tower in the published files. */
export const molmoNames = (_: MolmoConfig, prefixes: string | readonly string[] = usual): NameMap =>
  composeMaps(prefixMap(backboneNames, { theirs: prefixes }), besides);
