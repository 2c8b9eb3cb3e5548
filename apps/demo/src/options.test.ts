import { ConfigError } from '@mmllm/core';
import { expect, it } from 'vitest';
import { parseOptions } from './options';

it('has defaults for everything', () => {
  expect(parseOptions([])).toEqual({
    encoder: 'siglip',
    fusion: 'unified',
    recipe: 'quick',
    backend: 'auto',
    seed: 0,
    runs: 'runs',
    resume: false,
  });
});

it('takes every option', () => {
  expect(parseOptions(['--encoder', 'fuyu', '--fusion', 'hybrid', '--seed', '7', '--resume'])).toMatchObject({
    encoder: 'fuyu',
    fusion: 'hybrid',
    seed: 7,
    resume: true,
  });
  expect(parseOptions(['--help'])).toBe('help');
});

it.each([
  [['--encoder', 'resnet'], "--encoder: expected siglip, clip, fuyu, got 'resnet'"],
  [['--seed', '-1'], 'seed'],
  [['--seed', 'x'], "--seed: expected a whole number from 0, got 'x'"],
  [['--speed'], '--speed'],
])('refuses %j, naming what is known', (args, message) => {
  expect(() => parseOptions(args)).toThrow(ConfigError);
  expect(() => parseOptions(args)).toThrow(message);
});
