export * from './attention';
export * from './decoder';
export * from './fusion';
export * from './image-encoder';
export * from './images';
export * from './processor';
export * from './projector';
export * from './vision-tokenizer';
