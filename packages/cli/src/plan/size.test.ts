import { ConfigError } from '@mmllm/core';
import { expect, it } from 'vitest';
import { parseBytes } from '.';
import { formatBytes, formatFlops } from './size';

it.each([
  ['16GB', 16e9],
  ['1.5 GiB', 1.5 * 2 ** 30],
  ['512mb', 512e6],
  ['1000', 1000],
  ['7B', 7],
])('reads %s', (text, bytes) => {
  expect(parseBytes('--memory', text)).toBe(bytes);
});

it.each(['', 'GB', '-1GB', '1 EB', '1e9', '0x10', '1..5GB', 'toString'])('refuses %s', (text) => {
  expect(() => parseBytes('--memory', text)).toThrow(ConfigError);
});

it('writes sizes for people', () => {
  expect([0, 999, 1000, 16e9, 1.5e15].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.00 kB',
    '16.00 GB',
    '1500.00 TB',
  ]);
  expect(formatFlops(29.5e12)).toBe('29.50 TFLOP');
});
