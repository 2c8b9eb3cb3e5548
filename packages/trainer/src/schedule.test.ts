import { expect, it } from 'vitest';
import { scheduleFactor } from './schedule';

it('rises linearly and falls as a cosine', () => {
  const schedule = { schedule: 'cosine', steps: 8, warmupSteps: 2 } as const;
  const rates = Array.from({ length: 8 }, (_, step) => 2e-3 * scheduleFactor(step, schedule));
  // The learning rates that PyTorch used in the golden case train-llava.
  const expected = [0.001, 0.002, 0.002, 0.001866025403784439, 0.0015, 0.001, 0.0005, 0.0001339745962155613];
  for (const [step, rate] of rates.entries()) expect(rate).toBeCloseTo(expected[step], 12);
});

it('stays constant after the warm-up', () => {
  const rates = [0, 1, 2, 3, 99].map((step) =>
    scheduleFactor(step, { schedule: 'constant', steps: 100, warmupSteps: 4 }),
  );
  expect(rates).toEqual([0.25, 0.5, 0.75, 1, 1]);
});
