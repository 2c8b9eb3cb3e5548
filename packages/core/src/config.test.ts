import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseConfig } from './config';
import { layersSchema, MAX_LAYERS, MAX_SIZE, sizeSchema } from './config-limits';
import { ConfigError } from './errors';

const schema = z.strictObject({ width: sizeSchema, layers: layersSchema.default(2) });

const refusal = (value: unknown): string => {
  try {
    parseConfig('tower', schema, value as z.input<typeof schema>);
  } catch (error) {
    if (ConfigError.isInstance(error)) return error.message;
    throw error;
  }
  throw new Error('not refused');
};

describe('parseConfig', () => {
  it('fills defaults, up to the limits', () => {
    expect(parseConfig('tower', schema, { width: MAX_SIZE })).toEqual({ width: MAX_SIZE, layers: 2 });
    expect(parseConfig('tower', schema, { width: 1, layers: MAX_LAYERS }).layers).toBe(MAX_LAYERS);
  });

  it.each([0, -1, 1.5, MAX_SIZE + 1, Number.POSITIVE_INFINITY, Number.NaN, '8', null])(
    'refuses a width of %s',
    (width) => {
      expect(refusal({ width })).toMatch(/^tower\.width: .*got /);
    },
  );

  it('refuses more layers than anyone could mean', () => {
    expect(refusal({ width: 1, layers: 1e9 })).toContain('1000000000');
  });

  it('shows values of any kind, and never much of them', () => {
    const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    expect(refusal({ width: deep })).toContain('got a nested value');
    expect(refusal({ width: 2n ** 64n })).toContain('18446744073709551616');
    expect(refusal({ width: 'x'.repeat(10_000) }).length).toBeLessThan(200);
    expect(refusal({ width: 1, ['y'.repeat(10_000)]: 1 }).length).toBeLessThan(200);
  });
});
