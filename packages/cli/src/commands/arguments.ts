import { type ParseArgsConfig, parseArgs } from 'node:util';
import { ConfigError } from '@mmllm/core';

/**
 * The arguments of a command.
 * @throws ConfigError for an option that it does not have, or one without its value.
 */
export function parseArguments<O extends NonNullable<ParseArgsConfig['options']>>(
  command: string,
  args: readonly string[],
  options: O,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    const known = Object.keys(options).map((name) => `--${name}`);
    throw new ConfigError({
      component: `mmllm ${command}`,
      expected: known.join(', '),
      actual: (error as Error).message,
    });
  }
}
