export type { Mm15Config, Mm15Experts } from './config';
export { mm15 } from './mm15';
