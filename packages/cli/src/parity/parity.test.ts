import { readdirSync } from 'node:fs';
import { startBackend } from '@mmllm/backends';
import type { FolderReader } from '@mmllm/checkpoints';
import { expectNoLeak } from '@mmllm/conformance';
import { beforeAll, describe, expect, it } from 'vitest';
import { changedTensors, fixtureFiles, nudge, type Tensors } from '../testing/case-files';
import { familyNamed, openParityCase, type ParityResult, runParityCase } from '.';

const root = new URL('../../../../fixtures/cases/', import.meta.url);
const cases = readdirSync(root)
  .filter((family) => familyNamed(family))
  .flatMap((family) => readdirSync(new URL(`${family}/`, root)).map((variant) => `${family}/${variant}`));

beforeAll(() => startBackend({ backend: 'wasm' }));

const siblings = (family: string, variant: string) => fixtureFiles(`${family}/${variant}`);

async function run(files: FolderReader): Promise<ParityResult> {
  const golden = await openParityCase(files, siblings);
  return runParityCase(golden).finally(golden.close);
}

/** The case with tensors of one of its files changed. */
const runChanged = (name: string, ...change: [file: string, change: (tensors: Tensors) => void]) =>
  run(changedTensors(fixtureFiles(name), ...change));

describe('parity', () => {
  it.each(cases)('of case %s', async (name) => {
    const { pass, message, compared, notCompared, worst } = await run(fixtureFiles(name));
    expect(message).toBe('');
    expect(pass).toBe(true);
    expect(compared.length).toBeGreaterThan(0);
    expect(notCompared).toEqual([]);
    expect(worst!.error).toBeLessThanOrEqual(worst!.tolerance);
  });

  it('fails for one changed weight, and says which tensor is worst', async () => {
    const key = 'vision_model.encoder.layers.1.mlp.fc1.weight';
    const result = await runChanged('clip/quick-gelu', 'model/model.safetensors', (tensors) =>
      nudge(tensors, key),
    );
    expect(result.pass).toBe(false);
    expect(result.message).toContain(result.worst!.tensor);
    expect(result.worst!.error).toBeGreaterThan(result.worst!.tolerance);
  });

  it('fails for a bias that is left out', async () => {
    const result = await runChanged('patch-linear/p16-48px', 'golden.safetensors', (tensors) => {
      tensors.delete('bias');
    });
    expect(result.pass).toBe(false);
    expect(result.worst).toMatchObject({ tensor: 'out.tokens' });
  });

  it('fails for a missing weight, and compares nothing with it', async () => {
    const result = await runChanged('vit/h14-layout', 'model/model.safetensors', (tensors) => {
      tensors.delete('layernorm.bias');
    });
    expect(result).toMatchObject({ pass: false, compared: [] });
    expect(result.message).toContain('layernorm.bias');
    expect(result.notCompared).toContain('out.last');
  });

  it('fails for an output that nobody computes', async () => {
    const result = await runChanged('vit/h14-layout', 'golden.safetensors', (tensors) => {
      tensors.set('out.attentions', tensors.get('out.last')!);
    });
    expect(result).toMatchObject({ pass: false, notCompared: ['out.attentions'] });
  });

  it('fails for another shape, and for integers that differ at all', async () => {
    const shape = await runChanged('vit/h14-layout', 'golden.safetensors', (tensors) => {
      tensors.set('out.pooled', tensors.get('out.last')!);
    });
    expect(shape.worst).toMatchObject({ tensor: 'out.pooled', error: Number.POSITIVE_INFINITY });
    const tokens = await runChanged('llava/base', 'golden.safetensors', (tensors) => {
      const { data, ...info } = tensors.get('out.greedy')!;
      const bytes = (data as Uint8Array).slice();
      bytes[bytes.length - 4] ^= 1;
      tensors.set('out.greedy', { ...info, data: bytes });
    });
    expect(tokens).toMatchObject({ pass: false, worst: { tensor: 'out.greedy', tolerance: 0 } });
  });

  it('fails for a family that it does not know, and for a case without outputs', async () => {
    const golden = await openParityCase(fixtureFiles('vit/h14-layout'));
    for (const family of ['bert', 'constructor']) {
      expect((await runParityCase({ ...golden, family })).message).toContain(`family '${family}'`);
    }
    const empty = { ...golden, names: [], has: () => false };
    expect(await runParityCase(empty, { vit: async () => {} })).toMatchObject({
      pass: false,
      message: 'the case has nothing to compare',
    });
  });

  it('frees what a case that breaks off had made', async () => {
    const golden = await openParityCase(fixtureFiles('clip/quick-gelu'));
    const broken = {
      ...golden,
      ids: async () => {
        throw new Error('no ids');
      },
    };
    await expectNoLeak(async () => {
      expect((await runParityCase(broken)).message).toContain('no ids');
    });
  });
});
