export {
  type ChatTemplateChoice,
  type ChatTemplateFiles,
  chatTemplateFromFiles,
} from './chat/files';
export { maxTemplateText } from './chat/limits';
export { assistantMask } from './chat/mask';
export type { ChatMessage, RenderedChat, RenderOptions } from './chat/message';
export { type JinjaTemplate, jinjaTemplate } from './chat/template';
export type { HostArray } from './host-array';
export { preprocessingFromHuggingFace } from './hugging-face/preprocessing';
export { type DecodeOptions, decodePicture, decodePictures } from './pictures/decode';
export { maxPixels } from './pictures/limits';
export { prepareImages } from './prepare/prepare';
export { type TextAndImagesOptions, textAndImages } from './processor';
export type { ProcessorArrays } from './published/arrays';
export type { Conversation, Video } from './published/conversation';
export { fuyuCoordinates } from './published/families/fuyu-coordinates';
export { type ModelProcessorFactory, modelProcessorFromHuggingFace } from './published/model-processor';
export { type ProcessorFiles, processorFromHuggingFace } from './published/open';
export type {
  HuggingFaceProcessor,
  ImagesInput,
  ProcessorInput,
  ProcessorOptions,
} from './published/processor';
export { resize } from './resize/resize';
export type { Size, Window } from './resize/size';
export { type ChatTemplate, plainTemplate, type TemplateOptions } from './text/template';
export { type WordTokenizerOptions, wordTokenizer } from './text/words';
export type { BatchOptions, TokenBatch } from './tokenizer/batch';
export type { Encoding } from './tokenizer/encoding';
export type { JsonObject } from './tokenizer/file';
export { type JsonTokenizer, tokenizerFromJson } from './tokenizer/tokenizer';
