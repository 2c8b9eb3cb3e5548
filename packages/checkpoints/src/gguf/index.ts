export { dequantize } from './dequantize';
export { GgufFile, openGguf } from './file';
export type { GgufEntry, GgufMetadata, GgufValue, GgufValueType } from './metadata';
export { type GgufTokenizer, ggufTokenizer } from './tokenizer';
export { GGUF_TYPES, type GgufSpan, type GgufTensor, type GgufTensorInfo, type GgufType } from './types';
export { ggufTypes, ggufWeights } from './weights';
