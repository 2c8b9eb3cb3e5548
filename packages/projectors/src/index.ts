export { type AttentionPoolingConfig, attentionPooling } from './attention-pooling';
export { type AveragePoolingConfig, averagePooling } from './average-pooling';
export { type CAbstractorConfig, cAbstractor } from './c-abstractor';
export { type LinearConfig, linear } from './linear';
export { type MlpConfig, mlp } from './mlp';
export { MlpProjector, type MlpProjectorOptions } from './mlp/projector';
export { type PatchMergerConfig, patchMerger } from './patch-merger';
export { type PerceiverResamplerConfig, perceiverResampler } from './perceiver-resampler';
export {
  type PixelShuffleMlpConfig,
  pixelShuffleMlp,
  pixelShuffleOriginalNames,
} from './pixel-shuffle';
export { type PooledMlpConfig, pooledMlp } from './pooled-mlp';
export { type ResamplerConfig, resampler } from './resampler';
export type { ProjectorCheckpoint, ProjectorNameRule, ProjectorNames } from './shared/names';
