export { type DeepseekLlmConfig, deepseekLlm } from './deepseek-llm';
