import { readdirSync } from 'node:fs';
import { startBackend } from '@mmllm/backends';
import { bufferSource, encodeSafetensors, openSafetensors, type TensorInput } from '@mmllm/checkpoints';
import { beforeAll, describe, expect, it } from 'vitest';
import { changedFiles, fixtureFiles } from '../testing/case-files';
import { families, openParityCase, type ParityResult, runParityCase } from '.';

const root = new URL('../../../../fixtures/cases/', import.meta.url);
const cases = readdirSync(root)
  .filter((family) => family in families)
  .flatMap((family) => readdirSync(new URL(`${family}/`, root)).map((variant) => `${family}/${variant}`));

beforeAll(() => startBackend({ backend: 'wasm' }));

const run = async (...files: Parameters<typeof openParityCase>) =>
  runParityCase(await openParityCase(...files));

type Tensors = Map<string, TensorInput>;

/** The case with tensors of one of its files changed. */
async function runChanged(
  name: string,
  file: string,
  change: (tensors: Tensors) => void,
): Promise<ParityResult> {
  const files = fixtureFiles(name);
  const source = await files.open(file);
  const opened = await openSafetensors(bufferSource(await source.read(0, source.size), file));
  const tensors: Tensors = new Map();
  for (const key of opened.tensors.keys()) tensors.set(key, await opened.read(key));
  change(tensors);
  return run(changedFiles(files, { [file]: () => encodeSafetensors(tensors) }));
}

/** Changes one value of a float32 tensor. */
function nudge(tensors: Tensors, key: string): void {
  const { data, ...info } = tensors.get(key)!;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  const values = new Float32Array(bytes.buffer);
  values[1] += 0.1;
  tensors.set(key, { ...info, data: bytes });
}

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
    expect((await runParityCase({ ...golden, family: 'bert' })).message).toContain("family 'bert'");
    const empty = { ...golden, names: [], has: () => false };
    expect(await runParityCase(empty, { vit: async () => {} })).toMatchObject({
      pass: false,
      message: 'the case has nothing to compare',
    });
  });
});
