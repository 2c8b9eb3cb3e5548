export { type LlamaConfig, llamaConfigFromHuggingFace } from './config';
export { llama } from './llama';
export { llamaNames } from './names';
