export {
  type ChatTemplateChoice,
  type ChatTemplateFiles,
  chatTemplateFromFiles,
} from './chat/files';
export { maxTemplateText } from './chat/limits';
export { assistantMask } from './chat/mask';
export type { ChatMessage, RenderedChat, RenderOptions } from './chat/message';
export { type JinjaTemplate, jinjaTemplate } from './chat/template';
export { preprocessingFromHuggingFace } from './hugging-face/preprocessing';
export { decodePicture, decodePictures } from './pictures/decode';
export { maxPixels } from './pictures/limits';
export { prepareImages } from './prepare/prepare';
export { type TextAndImagesOptions, textAndImages } from './processor';
export { resize } from './resize/resize';
export type { Size, Window } from './resize/size';
export { type JsonObject, type JsonTokenizer, tokenizerFromJson } from './text/json';
export { type ChatTemplate, plainTemplate, type TemplateOptions } from './text/template';
export { type WordTokenizerOptions, wordTokenizer } from './text/words';
