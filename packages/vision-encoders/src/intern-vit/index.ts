export type { VisionTransformer } from '../shared/vision-transformer';
export { internVitOriginalNames } from './names';
export { type InternVitConfig, internVit } from './vision';
