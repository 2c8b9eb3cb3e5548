import { MmllmError } from '@mmllm/core';
import { demo } from './demo';
import { help, parseOptions, runName } from './options';
import { recipes } from './recipes';

/** The command line: exit code 0 when done, 1 for an error, 130 when interrupted. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === 'help') {
    console.log(help);
    return 0;
  }
  const interrupt = new AbortController();
  const stop = () => {
    if (interrupt.signal.aborted) process.exit(130);
    console.log('\nstopping after this step; press Ctrl-C again to stop at once');
    interrupt.abort();
  };
  process.on('SIGINT', stop);
  try {
    await demo({
      ...options,
      name: runName(options),
      recipe: recipes[options.recipe],
      signal: interrupt.signal,
    });
    return 0;
  } catch (error) {
    if (!interrupt.signal.aborted || error !== interrupt.signal.reason) throw error;
    const again = args.includes('--resume') ? args : [...args, '--resume'];
    console.log(`Go on with: npm start -- ${again.join(' ')}`);
    return 130;
  } finally {
    process.off('SIGINT', stop);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // An error on purpose says all there is to say in its message.
  console.error(MmllmError.isInstance(error) ? `${error.name}: ${error.message}` : error);
  process.exitCode = 1;
}
