export { type GemmaConfig, gemma } from './gemma';
