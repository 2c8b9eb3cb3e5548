export type { CrossAttentionOptions } from './config';
export { crossAttention } from './cross-attention';
export { hybrid } from './hybrid';
