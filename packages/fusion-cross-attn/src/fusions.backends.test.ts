import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { composeModel, type FusionFactory } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { linear } from '@mmllm/projectors';
import { beforeAll, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { PixelEncoder } from '../../fusion-unified/src/testing/fakes';
import { type StepResult, trainingStep } from '../../fusion-unified/src/testing/step';
import { crossAttention, hybrid } from './index';

const fusions: Record<string, FusionFactory> = {
  'cross-attention': crossAttention({ every: 1, numHeads: 2 }),
  hybrid: hybrid({ layers: [0], numHeads: 2 }),
};

/** Equal seeds give equal weights on every backend. */
const run = (fusion: FusionFactory) =>
  trainingStep(async () => {
    const model = await composeModel({
      encoder: new PixelEncoder(),
      projector: linear(),
      fusion,
      decoder: llama({
        vocabSize: 12,
        hiddenSize: 8,
        numLayers: 1,
        numHeads: 2,
        intermediateSize: 12,
        initializerRange: 0.4,
      }),
    });
    for (const [path, parameter] of model.namedParameters()) {
      if (path.endsWith('Gate')) parameter.assign(Float32Array.of(0.5));
    }
    return model;
  }, [['image'], ['tile', 'tile', 'thumbnail']]);

const expected = new Map<string, StepResult>();

beforeAll(async () => {
  await startBackend({ backend: 'cpu' });
  for (const [name, fusion] of Object.entries(fusions)) expected.set(name, await run(fusion));
});

describeBackends('fusions', () => {
  // A software GPU takes its time to compile.
  const timeout = 300_000;
  it.each(Object.entries(fusions))(
    '%s gives the logits and gradients of the cpu',
    { timeout },
    async (name, fusion) => {
      await expectNoLeak(async () => {
        for (const [tensor, actual] of await run(fusion)) {
          await assertTensorsClose(actual, expected.get(name)!.get(tensor)!, {
            tolerance: 1e-4,
            name: tensor,
          });
        }
      });
    },
  );
});
