export type { PackedTransformer } from '../shared/packed-transformer';
export { blockOrder, fromPixelValues, type PixelValueSizes, type PixelValues } from './pixel-values';
export { type Qwen2VlConfig, qwen2Vl } from './vision';
