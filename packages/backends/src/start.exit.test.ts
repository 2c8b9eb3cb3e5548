import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'tsup';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

const source = dirname(fileURLToPath(import.meta.url));
let folder: string;

beforeAll(async () => {
  // Inside the package, so that Node finds tfjs and webgpu from there.
  folder = await mkdtemp(join(source, '../node_modules/.exit-test-'));
  await build({
    config: false,
    entry: { backends: join(source, 'index.ts') },
    outDir: folder,
    outExtension: () => ({ js: '.mjs' }),
    format: 'esm',
    target: 'es2022',
    silent: true,
    external: [/^@tensorflow\//],
    noExternal: [/^@mmllm\//, 'zod'],
    esbuildOptions: (options) => {
      options.conditions = ['@mmllm/source'];
    },
  });
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe.each(inject('backends'))('a Node process that uses %s', (backend) => {
  it.each(['', 'await stopBackend();'])('ends by itself (%s)', async (ending) => {
    const script = join(folder, `main-${backend}-${ending.length}.mjs`);
    await writeFile(
      script,
      `import * as tf from '@tensorflow/tfjs-core';
      import { startBackend, stopBackend } from './backends.mjs';
      const { backend } = await startBackend({ backend: '${backend}' });
      const sum = tf.tidy(() => tf.sum(tf.matMul(tf.ones([40, 50]), tf.ones([50, 30]))));
      console.log(backend, (await sum.data())[0]);
      sum.dispose();
      ${ending}`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: 50_000 });
    expect(stdout).toBe(`${backend} 60000\n`);
  });
});
