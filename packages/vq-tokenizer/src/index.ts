export { type Emu3Vq, type Emu3VqConfig, emu3Vq } from './emu3';
export { type SeparateCodesConfig, separateCodes } from './generators/separate-codes';
export { type VocabularyCodesConfig, vocabularyCodes } from './generators/vocabulary-codes';
export { type JanusVq, type JanusVqConfig, janusVq } from './janus';
export type { VqCheckpoint } from './shared/checkpoint';
export type { VqConfig } from './shared/config';
