export type { TowerCheckpoint } from '../shared/checkpoint';
export type {
  ClassTokenFeatureConfig,
  FeatureConfig,
  TilingConfig,
  VisionConfig,
} from '../shared/config';
export type { ContrastiveModel } from '../shared/contrastive';
export { isPooled, type PooledImageEncoder } from '../shared/pooled-encoder';
export type { TextConfig, TextTower, TextTransformer } from '../shared/text-transformer';
export type { VisionTransformer } from '../shared/vision-transformer';
export { ClipModel, type ClipModelParts, clipModelNames } from './model';
export { type ClipTextConfig, clipText } from './text';
export { type ClipConfig, clip } from './vision';
