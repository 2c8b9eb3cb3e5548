export { ariaMoe } from './aria-moe';
export type { AriaMoeConfig } from './config';
