/** `cosine` falls from 1 to 0 after the warm-up (Loshchilov and Hutter 2017, arXiv:1608.03983). */
export type ScheduleShape = 'cosine' | 'constant';

export interface Schedule {
  readonly schedule: ScheduleShape;
  readonly steps: number;
  /** Steps of linear rise, of which the last has the full learning rate. */
  readonly warmupSteps: number;
}

/** Factor of the learning rate, 0 … 1, at a step counted from 0. */
export function scheduleFactor(step: number, { schedule, steps, warmupSteps }: Schedule): number {
  if (step < warmupSteps) return (step + 1) / warmupSteps;
  if (schedule === 'constant') return 1;
  const progress = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  return 0.5 * (1 + Math.cos(Math.PI * progress));
}
