import { expect, it } from 'vitest';
import { mixedText } from './mixed-text.ts';

it('is the same text every time, of the wanted size, in many scripts', () => {
  const text = mixedText(20_000);
  expect(mixedText(20_000)).toBe(text);
  expect(Buffer.byteLength(text)).toBeGreaterThanOrEqual(20_000);
  expect(Buffer.byteLength(text)).toBeLessThan(20_200);
  for (const script of ['Latin', 'Cyrillic', 'Greek', 'Han', 'Hangul', 'Devanagari']) {
    expect(text).toMatch(new RegExp(`\\p{Script=${script}}`, 'u'));
  }
});
