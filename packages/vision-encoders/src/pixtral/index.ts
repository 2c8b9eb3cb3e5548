export type { PackedTransformer } from '../shared/packed-transformer';
export { pixtralOriginalNames } from './names';
export { fromPaddedPixels, type PaddedPixels } from './pictures';
export { type PixtralConfig, pixtral } from './vision';
