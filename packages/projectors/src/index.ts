export { type LinearConfig, linear } from './linear';
export { type MlpConfig, mlp } from './mlp';
export { MlpProjector, type MlpProjectorOptions } from './mlp-projector';
