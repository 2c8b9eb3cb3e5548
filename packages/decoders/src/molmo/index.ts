export type { MolmoConfig } from './config';
export { molmo } from './molmo';
