import { describe, expect, it } from 'vitest';
import { parseOptions } from './options.ts';

describe('parseOptions', () => {
  it('measures everything in five rounds by default', () => {
    expect(parseOptions([])).toEqual({ rounds: 5, backend: 'wasm', help: false });
  });

  it('reads what it is given', () => {
    const args = '--only a,b --rounds 2 --json out.json --models m --python p --backend webgpu --profile c';
    expect(parseOptions(args.split(' '))).toEqual({
      only: ['a', 'b'],
      rounds: 2,
      json: 'out.json',
      models: 'm',
      python: 'p',
      backend: 'webgpu',
      profile: ['c'],
      help: false,
    });
  });

  it.each([
    ['--rounds', '0'],
    ['--rounds', 'many'],
    ['--backend', 'cpu'],
    ['--fast', '1'],
  ])('refuses %s %s', (option, value) => expect(() => parseOptions([option, value])).toThrow(option));
});
