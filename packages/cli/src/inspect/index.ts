export { type Inspection, inspectConfig } from './inspect';
export { formatInspection } from './report';
export { type StoredWeights, storedWeights } from './stored';
export type { ParameterTree } from './tree';
