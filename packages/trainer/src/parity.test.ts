import { startBackend } from '@mmllm/backends';
import { beforeAll, describe, expect, it } from 'vitest';
import { openParityCase, runParityCase } from '../../cli/src/parity';
import { changedTensors, fixtureFiles, nudge, type Tensors } from '../../cli/src/testing/case-files';

beforeAll(() => startBackend({ backend: 'wasm' }));

const MODEL = 'model/model.safetensors';

async function run(name: string, change: (tensors: Tensors) => void = () => {}) {
  const golden = await openParityCase(changedTensors(fixtureFiles(name), MODEL, change));
  return runParityCase(golden).finally(golden.close);
}

describe.each([
  ['train-clip/base', 'vision_model.encoder.layers.0.mlp.fc1.weight'],
  ['train-siglip/base', 'vision_model.encoder.layers.0.mlp.fc1.weight'],
  ['train-llava/base', 'vision_tower.encoder.layers.0.mlp.fc1.weight'],
])('case %s', (name, weight) => {
  it('takes the steps that PyTorch takes, leaves frozen bits alone and changes the others', async () => {
    const { message, compared } = await run(name);
    expect(message).toBe('');
    expect(compared.filter((tensor) => tensor.endsWith('.loss'))).not.toEqual([]);
    expect(compared.filter((tensor) => tensor.startsWith('out.final.')).length).toBeGreaterThan(10);
  });

  it('would show a perturbed weight', async () => {
    const { message } = await run(name, (tensors) => nudge(tensors, weight, 1));
    expect(message).toMatch(/\.step\.\d+\.(loss|grad_norm)/);
  });
});
