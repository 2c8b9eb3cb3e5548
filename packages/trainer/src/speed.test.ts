import { expect, it } from 'vitest';
import { Speed } from './speed';

it('is the mean over the last steps, by time', () => {
  const speed = new Speed(3);
  const after = (tokens: number, seconds: number) => {
    speed.add(tokens, seconds);
    return speed.tokensPerSecond;
  };
  expect(after(10, 1)).toBe(10);
  expect(after(10, 4)).toBe(4);
  expect(after(40, 1)).toBe(10);
  // The first step no longer counts.
  expect(after(10, 5)).toBe(6);
});
