export { type GoldenTensor, openParityCase, type ParityCase } from './case';
export { Comparison, type Worst } from './comparison';
export { families, familyNamed, type ParityFamilies, type ParityFamily } from './families';
export { type ParityResult, runParityCase } from './run';
