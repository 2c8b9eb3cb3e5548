export type { TowerCheckpoint } from '../shared/checkpoint';
export type {
  ClassTokenFeatureConfig,
  FeatureConfig,
  TilingConfig,
  VisionConfig,
} from '../shared/config';
export { PatchEmbedding, type PatchEmbeddingOptions } from '../shared/patch-embedding';
export type { PooledImageEncoder } from '../shared/pooled-encoder';
export type { VisionTransformer } from '../shared/vision-transformer';
export { type VitConfig, vit } from './vision';
