import { startBackend } from '@mmllm/backends';
import { bufferSource, loadWeights } from '@mmllm/checkpoints';
import { ggufWeights, openGguf } from '@mmllm/checkpoints/gguf';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { tryMutations } from '../../../../tools/testing/mutations';
import { mutateGguf } from '../../../checkpoints/src/gguf/mutate';
import { readGgufFixture } from '../testing/gguf';
import { llama } from './index';

beforeAll(async () => {
  await startBackend({ backend: 'cpu' });
});

/** Loads a model and counts its values by the file's tensors. */
async function load(bytes: Uint8Array): Promise<undefined> {
  const tensors = tf.memory().numTensors;
  const file = await openGguf(bufferSource(bytes, 'mutated'));
  const config = await llama.gguf.config(file);
  const decoder = llama(config);
  try {
    await loadWeights(decoder, ggufWeights(file), llama.gguf.names(config));
    const values = [...file.tensors.values()].map(({ shape }) =>
      shape.reduce((product, size) => product * size, 1),
    );
    expect(decoder.countParameters()).toBe(values.reduce((sum, count) => sum + count, 0));
  } finally {
    decoder.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
  }
}

it('damaged llamas are refused with a typed error or loaded', { timeout: 300_000 }, async () => {
  const name = 'llama-tied.gguf';
  const bytes = readGgufFixture(name);
  const { metadata, tensors } = await openGguf(bufferSource(bytes, name));
  const names = [...metadata.keys(), ...tensors.keys()].filter((key) => !key.startsWith('tokenizer'));
  const headerEnd = Math.min(...[...tensors.values()].map(({ start }) => start));
  const outcomes = await tryMutations(300, {
    originals: { [name]: () => load(bytes) },
    originalOf: () => name,
    attempt: (seed) => load(mutateGguf({ bytes, names, headerEnd }, seed)),
  });
  // The generator must reach both outcomes, or it shows nothing.
  expect(outcomes.refused).toBeGreaterThan(150);
  expect(outcomes.read).toBeGreaterThan(10);
});
