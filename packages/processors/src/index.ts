export { decodePicture, decodePictures } from './pictures/decode';
export { maxPixels } from './pictures/limits';
export { prepareImages } from './prepare/prepare';
export { type TextAndImagesOptions, textAndImages } from './processor';
export { resize } from './resize/resize';
export type { Size, Window } from './resize/size';
export { type JsonObject, type JsonTokenizer, tokenizerFromJson } from './text/json';
export { type ChatTemplate, plainTemplate, type TemplateOptions } from './text/template';
export { type WordTokenizerOptions, wordTokenizer } from './text/words';
