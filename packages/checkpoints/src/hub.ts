export { type HubFiles, type HubFilesOptions, hubFiles } from './hub/files';
export type { DownloadProgress, HubOptions } from './hub/options';
