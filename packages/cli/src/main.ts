import { MmllmError } from '@mmllm/core';
import type { Command } from './commands/command';
import { inspect } from './commands/inspect';
import { parity } from './commands/parity';
import { plan } from './commands/plan';

const commands: Readonly<Record<string, Command>> = { parity, inspect, plan };

const help = `mmllm COMMAND …

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(8)} ${summary}`)
  .join('\n')}

mmllm COMMAND --help says more.`;

/** The exit code: 0 when all is well, 1 when a command says no, 2 for a call that makes no sense. */
async function main([name, ...args]: readonly string[]): Promise<number> {
  const command = name === undefined ? undefined : commands[name];
  if (!command) {
    const asked = name === undefined || name === '--help' || name === 'help';
    if (asked) console.log(help);
    else console.error(`mmllm: there is no command '${name}'\n\n${help}`);
    return name === '--help' || name === 'help' ? 0 : 2;
  }
  if (args.includes('--help')) {
    console.log(command.help);
    return 0;
  }
  return command.run(args);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // What is refused on purpose says all there is to say; anything else is a fault of ours and shows where.
  console.error(MmllmError.isInstance(error) ? error.message : error);
  process.exitCode = 2;
}
