export type { LlamaConfig } from './config';
export { llama } from './llama';
