import { join } from 'node:path';
import { type BackendName, startBackend } from '@mmllm/backends';
import { fileStorage } from '@mmllm/checkpoints/node';
import { ConfigError } from '@mmllm/core';
import { openParityCase, type ParityResult, runParityCase } from '../parity';
import { parseArguments } from './arguments';
import type { Command } from './command';

const backends = ['webgpu', 'wasm', 'cpu'] as const satisfies BackendName[];

export const parity: Command = {
  summary: 'compare every output of golden cases with what the packages compute',
  help: `mmllm parity FOLDER… [--backend B] [--json]

Each folder is a golden case: case.json, golden.safetensors, and model/ in Hugging Face's layout. A line for each case says which tensor is worst, its
error |ours − theirs| / max(1, |theirs|), the tolerance and the verdict. A tensor that is not compared is a failure.

  --backend  ${backends.join(', ')}; default: the fastest that works here
  --json     [{case, pass, worst: {tensor, error, tolerance}, compared, notCompared, message}] instead; an error is
             null where shapes differ or a value is not finite

Exit code 0 if all pass, otherwise 1.`,

  async run(args) {
    const { values, positionals: folders } = parseArguments('parity', args, {
      backend: { type: 'string' },
      json: { type: 'boolean' },
    });
    if (folders.length === 0) {
      throw new ConfigError({ component: 'mmllm parity', expected: 'at least one folder', actual: 'none' });
    }
    await startBackend({ backend: backendNamed(values.backend) });
    const results: ParityResult[] = [];
    for (const folder of folders) {
      const result = await runFolder(folder);
      results.push(result);
      if (!values.json) console.log(line(result));
    }
    const passed = results.filter(({ pass }) => pass).length;
    console.log(values.json ? JSON.stringify(results) : `${passed} of ${results.length} cases pass`);
    return passed === results.length ? 0 : 1;
  },
};

function backendNamed(name: string | undefined): BackendName | undefined {
  if (name === undefined) return undefined;
  const found = backends.find((known) => known === name);
  if (found) return found;
  throw new ConfigError({ component: '--backend', expected: backends.join(', '), actual: `'${name}'` });
}

/** A folder that holds no case is a case that fails. */
async function runFolder(folder: string): Promise<ParityResult> {
  try {
    const siblings = (family: string, variant: string) =>
      fileStorage(join(folder, '..', '..', family, variant));
    const golden = await openParityCase(fileStorage(folder), siblings);
    return await runParityCase(golden).finally(golden.close);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { case: folder, pass: false, compared: [], notCompared: [], message };
  }
}

function line({ case: name, pass, worst, compared, message }: ParityResult): string {
  const verdict = pass ? 'pass' : 'FAIL';
  const most = worst
    ? `${compared.length} tensors, worst ${worst.tensor}: ${worst.error.toExponential(1)} of ${worst.tolerance}`
    : 'nothing compared';
  return `${verdict}  ${name}  ${most}${pass ? '' : `\n      ${message}`}`;
}
