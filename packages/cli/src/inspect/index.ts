export { type Inspection, inspectConfig } from './inspect';
export { inspectPublished } from './published';
export { formatInspection, formatPublished } from './report';
export { type StoredWeights, storedWeights } from './stored';
export type { ParameterTree } from './tree';
