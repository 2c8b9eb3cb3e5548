export type { Answer, GenerationTimings, TokenPiece } from './answer';
export type { Choice } from './choose';
export { generationFromHuggingFace } from './hugging-face';
export type { GenerationInput, ModelGenerateOptions } from './inputs';
export { picturesOf } from './pictures';
export type { GenerationStream } from './stream';
