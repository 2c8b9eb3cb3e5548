export type { CrossAttentionOptions, HybridOptions } from './config';
export { crossAttention } from './cross-attention';
export { hybrid } from './hybrid';
export type { TileTag, TileTags } from './tags';
