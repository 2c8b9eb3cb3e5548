/** `npm run bench:tokens`: are greedy tokens of real weights those of transformers? */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startBackend } from '@mmllm/backends';
import { findModels, findPython, pathOf } from '../setup.ts';
import { answer, type Chat, openFolder, openGgufFile } from './answer.ts';
import { agreement, describe, type Expected } from './compare.ts';
import prompts from './prompts.json' with { type: 'json' };

const COUNT = 64;

const USAGE = `npm run bench:tokens -- [options]
  --model DIR     a Llama in the layout of Hugging Face (default: the SmolLM2-135M-Instruct of the benchmark)
  --gguf FILE     the same weights in a file of llama.cpp, compared too
  --python FILE   a Python with torch and transformers (default: that of the benchmark)`;

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url));

function expectedTokens(python: string, model: string): Expected[] {
  const args = [path('../../peers/greedy_tokens.py'), model, path('./prompts.json'), `${COUNT}`];
  return JSON.parse(execFileSync(python, args, { encoding: 'utf8', maxBuffer: 2 ** 26 }));
}

/** Prints a line for each prompt. @returns how many have all tokens equal. */
async function compareAll(name: string, chat: Chat, expected: readonly Expected[]): Promise<number> {
  console.log(`\n${name}`);
  let equal = 0;
  for (const one of expected) {
    const ours = await answer(chat, one.prompt, COUNT);
    if (agreement(one, ours) === COUNT) equal++;
    console.log(describe(one, ours));
  }
  chat.decoder.dispose();
  console.log(`${equal} of ${expected.length} prompts with all ${COUNT} tokens equal`);
  return equal;
}

async function main(): Promise<boolean> {
  const text = { type: 'string' } as const;
  const options = { model: text, gguf: text, python: text, help: { type: 'boolean', short: 'h' } } as const;
  const { model, gguf, python, help } = parseArgs({ options }).values;
  if (help) {
    console.log(USAGE);
    return true;
  }
  const found = await findPython({ python });
  const folder = model ?? join(pathOf(await findModels({}, found)), 'smollm2-135m');
  const expected = expectedTokens(pathOf(found), folder);
  console.log(`${prompts.length} prompts beside transformers in float32`);
  await startBackend({ backend: 'wasm' });
  let equal = await compareAll('safetensors', await openFolder(folder), expected);
  if (gguf) equal = Math.min(equal, await compareAll('GGUF', await openGgufFile(gguf, folder), expected));
  return equal === expected.length;
}

process.exit((await main()) ? 0 : 1);
