import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { composeModel } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { linear } from '@mmllm/projectors';
import { beforeAll, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { unified } from './index';
import { PixelEncoder } from './testing/fakes';
import { type StepResult, trainingStep } from './testing/step';

/** Equal seeds give equal weights on every backend. */
const run = () =>
  trainingStep(
    () =>
      composeModel({
        encoder: new PixelEncoder(),
        projector: linear(),
        fusion: unified(),
        decoder: llama({
          vocabSize: 12,
          hiddenSize: 8,
          numLayers: 1,
          numHeads: 2,
          intermediateSize: 12,
          initializerRange: 0.4,
        }),
      }),
    [['image'], ['tile', 'thumbnail']],
  );

let expected: StepResult;

beforeAll(async () => {
  await startBackend({ backend: 'cpu' });
  expected = await run();
});

describeBackends('unified', () => {
  // A software GPU takes its time to compile.
  it('gives the logits and gradients of the cpu', { timeout: 300_000 }, async () => {
    await expectNoLeak(async () => {
      const actual = await run();
      for (const [name, tensor] of actual) {
        await assertTensorsClose(tensor, expected.get(name)!, { tolerance: 1e-4, name });
      }
    });
  });
});
