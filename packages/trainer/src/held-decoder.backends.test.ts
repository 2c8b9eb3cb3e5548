import type { HeldType } from '@mmllm/core';
import { holdWeights } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { frozen, train, trained } from '.';
import { compose, questions } from './testing/composed';
import { stepOf } from './testing/gradients';

const types = ['bfloat16', 'float16', 'q8', 'q4', 'q4_1'] as const satisfies readonly HeldType[];
const samples = questions.slice(0, 4);
const projector = (path: string) => path.startsWith('projector.');

describeBackends('training a projector on a held decoder', (backend) => {
  it.each(types)(
    '%s: gives the gradients of the same values as float32',
    { timeout: 120_000 },
    async (type) => {
      const model = await compose();
      await holdWeights(model.decoder, type);
      const { numBytes } = tf.memory();
      const held = await stepOf(model, samples, { trains: projector });
      // The weights were held all along.
      expect(tf.memory().numBytes).toBe(numBytes);
      await holdWeights(model.decoder, 'float32');
      if (backend === 'wasm' || backend === 'webgpu') expect(numBytes).toBeLessThan(tf.memory().numBytes);
      const rounded = await stepOf(model, samples, { trains: projector });
      expect(held.loss).toBeCloseTo(rounded.loss, 4);
      expect(Object.keys(rounded.gradients)).toHaveLength(4);
      for (const [path, gradient] of Object.entries(rounded.gradients)) {
        const most = gradient!.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
        expect(most).toBeGreaterThan(0);
        gradient!.forEach((value, i) => {
          expect(Math.abs(held.gradients[path]![i] - value), `${path}[${i}]`).toBeLessThan(1e-3 * most);
        });
      }
      model.dispose();
    },
  );

  it('names the weight that is no number, past the held ones', { timeout: 120_000 }, async () => {
    const model = await compose();
    await holdWeights(model.decoder, 'q8');
    model.parameter('decoder.norm.weight').assign(new Float32Array(16).fill(Number.NaN));
    const policy = [
      ['projector', trained()],
      ['**', frozen],
    ] as const;
    const run = train(model, { stages: [{ name: 'align', policy, data: samples, steps: 1 }] });
    await expect(run).rejects.toThrow('beginning in decoder.norm.weight');
    model.dispose();
  });
});
