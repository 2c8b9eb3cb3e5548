/** The process of an engine in JavaScript: `node serve.ts MODULE EXPORT WORK SETTING`. */
import { createWriteStream, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import type { OpenEngine } from './engine.ts';
import { packAnswer } from './protocol.ts';

async function serve([module, name, work, setting]: string[]): Promise<void> {
  const answers = createWriteStream('', { fd: 3 });
  const answer = (line: object) => answers.write(`${JSON.stringify(line)}\n`);
  const open: OpenEngine = (await import(pathToFileURL(module).href))[name];
  const engine = await open(JSON.parse(work), JSON.parse(setting));
  answer({ ready: true });
  const atStart = process.memoryUsage.rss() / 2 ** 20;
  for await (const _ of createInterface({ input: process.stdin })) {
    const start = performance.now();
    const output = await engine.run();
    const ms = performance.now() - start;
    const peak = process.resourceUsage().maxRSS / 1024;
    const values = await output.values?.();
    const read = { ...output, values: values && (() => values) };
    answer({ ...packAnswer(read, ms, peak), grownMegabytes: peak - atStart });
  }
}

try {
  await serve(process.argv.slice(2));
  process.exit();
} catch (error) {
  // Caught here, because an uncaught one is printed with a line of minified source before it.
  writeSync(2, error instanceof Error ? error.message : String(error));
  process.exit(1);
}
