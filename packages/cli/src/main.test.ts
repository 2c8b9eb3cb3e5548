import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const fixture = (name: string) => join('fixtures', 'cases', name);

/** The built command, as the script at the root calls it. */
async function mmllm(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = [join('packages', 'cli', 'bin', 'mmllm.js'), ...args];
  const run = promisify(execFile)(process.execPath, command, { cwd: root });
  return run.then(
    (output) => ({ code: 0, ...output }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

describe('mmllm', () => {
  it('says what it can do, and what is wrong with a call', async () => {
    expect(await mmllm()).toMatchObject({ code: 2, stdout: expect.stringContaining('parity') });
    expect(await mmllm('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('inspect') });
    expect(await mmllm('parity', '--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--json'),
    });
    expect(await mmllm('fly')).toMatchObject({ code: 2, stderr: expect.stringContaining("'fly'") });
    expect(await mmllm('parity')).toMatchObject({ code: 2, stderr: expect.stringContaining('folder') });
    expect(await mmllm('parity', '--quick')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--quick'),
    });
    expect(await mmllm('inspect', 'nowhere')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('nowhere'),
    });
  });

  it('parity prints a line for each case, and fails if one does', async () => {
    const { code, stdout } = await mmllm('parity', fixture('vit/h14-layout'), 'nowhere', '--backend', 'wasm');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^pass {2}vit\/h14-layout .*\nFAIL {2}nowhere/);
    expect(stdout).toContain('1 of 2 cases pass');
  });

  it('parity --json prints JSON alone', async () => {
    const { code, stdout } = await mmllm('parity', fixture('siglip/base'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual([
      {
        case: 'siglip/base',
        pass: true,
        worst: { tensor: expect.any(String), error: expect.any(Number), tolerance: 1e-4 },
        compared: expect.arrayContaining(['out.last', 'out.pooled', 'out.large_last']),
        notCompared: [],
        message: '',
      },
    ]);
  });

  it('inspect reads a folder and a file', async () => {
    const model = join(fixture('vit/h14-layout'), 'model');
    const folder = JSON.parse((await mmllm('inspect', model, '--json')).stdout);
    expect(folder).toMatchObject({ parameters: 65_160, dtype: 'float32', bytes: 4 * 65_160 });
    expect((await mmllm('inspect', join(model, 'config.json'))).stdout).toContain('65,160');
    const scratch = await mkdtemp(join(tmpdir(), 'mmllm-cli-'));
    await writeFile(join(scratch, 'config.json'), '{"model_type"');
    expect(await mmllm('inspect', scratch)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('JSON'),
    });
    await rm(scratch, { recursive: true });
  });

  it('inspect counts every published size, or one by its name', async () => {
    const all = JSON.parse((await mmllm('inspect', '--all', '--json')).stdout);
    expect(all['llava-1.5-7b']).toEqual({
      parameters: 7_063_427_072,
      components: {
        vision: 303_507_456,
        projector: 20_979_712,
        decoder: 6_607_605_760,
        lm_head: 131_334_144,
      },
    });
    expect((await mmllm('inspect', '--all')).stdout).toMatch(/^aria .*25,307,311,216$/m);
    expect((await mmllm('inspect', 'aria')).stdout).toContain('25,307,311,216');
    expect(await mmllm('inspect', 'aria', '--all')).toMatchObject({ code: 2 });
  });

  it('plan says what a step takes, and what fits', async () => {
    const args = ['plan', 'llava-1.5-7b', '--stage', 'inference', '--dtype', 'q4', '--memory', '16GB'];
    const plan = JSON.parse((await mmllm(...args, '--json')).stdout);
    expect(plan).toMatchObject({ stage: 'inference', trained: 0, fit: { memory: 16e9, fits: true } });
    expect((await mmllm(...args)).stdout).toContain('16.00 GB: it fits');
    expect(await mmllm('plan', 'llava-1.5-7b', '--batch', 'many')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('plan.batch'),
    });
    expect(await mmllm('plan')).toMatchObject({ code: 2, stderr: expect.stringContaining('mmllm plan') });
  });
});
