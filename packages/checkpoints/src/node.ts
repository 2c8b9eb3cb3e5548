export { fileSource } from './node/file-source';
export { fileStorage } from './node/file-storage';
