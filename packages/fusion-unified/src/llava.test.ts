import { startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import { beforeAll, describe, expect, it } from 'vitest';
import { openParityCase, runParityCase } from '../../cli/src/parity';
import { changedTensors, fixtureFiles, nudge } from '../../cli/src/testing/case-files';

beforeAll(() => startBackend({ backend: 'wasm' }));

describe('case llava: a whole model, composed from packages', () => {
  it('gives features, logits, greedy tokens, the loss and the gradients of the projector', async () => {
    const golden = await openParityCase(fixtureFiles('llava/base'));
    await expectNoLeak(async () => {
      const { message, compared } = await runParityCase(golden).finally(golden.close);
      expect(message).toBe('');
      expect(compared).toEqual(
        expect.arrayContaining(['out.features', 'out.logits', 'out.greedy', 'out.loss']),
      );
      const gradients = compared.filter((name) => name.startsWith('grad.model.multi_modal_projector.'));
      expect(gradients).toHaveLength(4);
    });
  });

  it('fails the comparison when one weight is off by a little', async () => {
    const files = changedTensors(fixtureFiles('llava/base'), 'model/model.safetensors', (tensors) =>
      nudge(tensors, 'multi_modal_projector.linear_2.bias', 0.01),
    );
    const golden = await openParityCase(files);
    const { message } = await runParityCase(golden).finally(golden.close);
    expect(message).toContain('out.logits');
  });
});
