export type { PersimmonConfig } from './config';
export { persimmon } from './persimmon';
