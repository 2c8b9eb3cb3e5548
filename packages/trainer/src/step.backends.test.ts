import { type BackendName, startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import { describe, expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { frozen, train, trained } from '.';
import { compose, encoders, fusions, questions } from './testing/composed';
import { readAll } from './testing/toy';

type Parts = Parameters<typeof compose>;

const everything = Object.keys(encoders).flatMap((encoder) =>
  Object.keys(fusions).map((fusion) => [encoder, fusion] as Parts),
);

/** Every encoder and every fusion once: a GPU in software takes long to compile each one's kernels. */
const eachOnce: Parts[] = [
  ['clip', 'unified'],
  ['siglip', 'cross-attention'],
  ['fuyu', 'hybrid'],
];

/** Three steps: gated layers are open, and learn from pictures, only after the first. */
const stage = {
  name: 'instruct',
  policy: [
    ['encoder', frozen],
    ['decoder.embedTokens', frozen],
    ['**', trained()],
  ],
  data: questions,
  steps: 3,
  batchSize: 4,
  learningRate: 0.01,
  // Keeps gradients that are nothing but rounding from becoming steps of full length.
  eps: 1e-4,
} as const;

async function run(backend: BackendName, ...parts: Parts) {
  await startBackend({ backend });
  const model = await compose(...parts);
  const before = await readAll(model);
  const losses: number[] = [];
  await expectNoLeak(async () => {
    for await (const { loss } of train(model, { stages: [stage] })) losses.push(loss);
  });
  const after = await readAll(model);
  model.dispose();
  const changed = Object.keys(after).filter((path) => String(after[path]) !== String(before[path]));
  return { losses, changed, paths: Object.keys(after) };
}

describeBackends('training steps', (backend) => {
  const parts = backend.startsWith('web') ? eachOnce : everything;
  describe.each(parts)('of %s and %s', { timeout: 180_000 }, (...parts) => {
    it('give the losses of the cpu, change what is trained alone, and leave no tensor', async () => {
      const expected = await run('cpu', ...parts);
      const { losses, changed, paths } = await run(backend, ...parts);
      expect(losses).toHaveLength(3);
      losses.forEach((loss, i) => {
        expect(Math.abs(loss - expected.losses[i])).toBeLessThan(1e-4 * Math.max(1, expected.losses[i]));
      });
      expect(losses[2]).toBeLessThan(losses[0]);
      const isFrozen = (path: string) =>
        path.startsWith('encoder.') || path.startsWith('decoder.embedTokens.');
      expect(changed).toEqual(paths.filter((path) => !isFrozen(path)));
    });
  });
});
