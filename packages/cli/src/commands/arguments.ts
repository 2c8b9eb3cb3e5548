import { parseArgs } from 'node:util';
import { ConfigError } from '@mmllm/core';

type Options = Readonly<Record<string, { readonly type: 'string' | 'boolean' }>>;

/** What was given for each option: a switch is false and a value undefined where there was none. */
type Values<O extends Options> = {
  [K in keyof O]: O[K]['type'] extends 'boolean' ? boolean : string | undefined;
};

/**
 * The arguments of a command.
 * @throws ConfigError for an option that it does not have, or one without its value.
 */
export function parseArguments<const O extends Options>(
  command: string,
  args: readonly string[],
  options: O,
): { values: Values<O>; positionals: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const given = Object.entries(options).map(([name, { type }]) => {
      const value = (values as Record<string, unknown>)[name];
      return [name, type === 'boolean' ? value === true : value];
    });
    return { values: Object.fromEntries(given), positionals };
  } catch (error) {
    const known = Object.keys(options).map((name) => `--${name}`);
    throw new ConfigError({
      component: `mmllm ${command}`,
      expected: known.join(', '),
      actual: (error as Error).message,
    });
  }
}
