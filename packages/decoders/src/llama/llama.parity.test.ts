import { loadWeights, saveWeights } from '@mmllm/checkpoints';
import { expectNoLeak } from '@mmllm/conformance';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { openParityCase, runParityCase } from '../../../cli/src/parity';
import { changedTensors, fixtureFiles, nudge } from '../../../cli/src/testing/case-files';
import { llama } from './index';

const cases = ['decoder-llama/base', 'decoder-llama3/base'];

describeBackends('llama, case', () => {
  // A software GPU takes its time over a token.
  it.each(cases)(
    '%s: hidden states and logits with padding on the left, greedy tokens, loss and gradients',
    { timeout: 300_000 },
    async (name) => {
      const golden = await openParityCase(fixtureFiles(name));
      await expectNoLeak(async () => {
        const { message, compared } = await runParityCase(golden).finally(golden.close);
        expect(message).toBe('');
        const states = compared.filter((tensor) => tensor.startsWith('out.hidden.'));
        expect(states).toHaveLength(llama.checkpoint.config(await golden.config()).numLayers + 1);
      });
    },
  );

  it('fails the comparison when one weight is off by a little', { timeout: 300_000 }, async () => {
    const key = 'model.layers.1.self_attn.k_proj.weight';
    const files = changedTensors(fixtureFiles(cases[0]), 'model/model.safetensors', (tensors) =>
      nudge(tensors, key, 0.01),
    );
    const golden = await openParityCase(files);
    const { message } = await runParityCase(golden).finally(golden.close);
    expect(message).toContain('out.logits');
  });

  it('saves what it loaded, and counts exactly', async () => {
    const golden = await openParityCase(fixtureFiles(cases[0]));
    const weights = await golden.weights();
    const decoder = llama(llama.checkpoint.config(await golden.config()));
    await loadWeights(decoder, weights, llama.checkpoint.names());
    expect(decoder.countParameters()).toBe(51_696);
    const saved = new Map(saveWeights(decoder, llama.checkpoint.names()));
    expect([...saved.keys()].sort()).toEqual([...weights.keys()].sort());
    for (const [key, tensor] of saved) {
      expect(tensor.shape).toEqual(weights.shape(key));
      expect(await tensor.read()).toEqual(await weights.read(key));
    }
    decoder.dispose();
    await golden.close();
  });
});
