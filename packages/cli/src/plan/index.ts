export type { PictureText } from './batch';
export type { Peak, Phase } from './counting';
export { type PlannedModel, plannedModel } from './model';
export { type Plan, type PlanOptions, planConfig, planModel } from './plan';
export { formatPlan } from './report';
export { parseBytes } from './size';
