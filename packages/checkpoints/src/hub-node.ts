export type { DownloadProgress } from './hub/options';
export { type DownloadOptions, downloadModel } from './node/hub-cache';
