export * from './actions';
export { compilePattern } from './pattern';
export * from './resolve';
export { formatPolicyTable } from './table';
