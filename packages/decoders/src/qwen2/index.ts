export type { Qwen2Config } from './config';
export { qwen2 } from './qwen2';
