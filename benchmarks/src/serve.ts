/** The process of an engine in JavaScript: `node serve.ts MODULE EXPORT WORK SETTING`. */
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import type { OpenEngine } from './engine.ts';
import { packAnswer } from './protocol.ts';

const [module, name, work, setting] = process.argv.slice(2);
const answers = createWriteStream('', { fd: 3 });
const answer = (line: object) => answers.write(`${JSON.stringify(line)}\n`);

const open: OpenEngine = (await import(pathToFileURL(module).href))[name];
const engine = await open(JSON.parse(work), JSON.parse(setting));
answer({ ready: true });
for await (const _ of createInterface({ input: process.stdin })) {
  const start = performance.now();
  const output = await engine.run();
  const ms = performance.now() - start;
  answer(packAnswer(output, ms, process.resourceUsage().maxRSS / 1024));
}
process.exit();
