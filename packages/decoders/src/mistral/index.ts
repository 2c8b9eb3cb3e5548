export type { MistralConfig } from './config';
export { mistral } from './mistral';
