import { startBackend, stopBackend } from '@mmllm/backends';
import { wordTokenizer } from '@mmllm/processors';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from './composition';
import { colors, type Example, loadEasyVqa, shapes } from './easy-vqa';
import type { Recipe } from './recipes';
import { trainByStages } from './training';

/** The main job's three stages, twenty steps in all, at sizes that the references can do. */
const stage = { batchSize: 8, learningRate: 1e-3, warmupSteps: 2 };
const recipe: Recipe = {
  sizes: {
    patchSize: 16,
    encoder: { hiddenSize: 32, numLayers: 2, numHeads: 2 },
    text: { hiddenSize: 32, numLayers: 1, numHeads: 2, maxLength: 8 },
    decoder: {
      hiddenSize: 32,
      numLayers: 2,
      numHeads: 2,
      intermediateSize: 64,
      initializerRange: 0.125,
      embeddingRange: 1,
    },
  },
  contrastive: { ...stage, steps: 6 },
  align: { ...stage, steps: 4 },
  instruct: { ...stage, steps: 10 },
};

let examples: Example[];
let withKernels: number[];

beforeAll(async () => {
  examples = await loadEasyVqa('train', 16);
  await startBackend({ backend: 'wasm' });
  withKernels = await losses();
});

afterAll(stopBackend);

/** The loss of each step on the current backend. */
async function losses(): Promise<number[]> {
  const words = [...examples.flatMap(({ questions }) => questions), 'a shape yes no', ...colors, ...shapes];
  const tokenizer = wordTokenizer([words.join(' ')]);
  const model = await compose(
    { encoder: 'siglip', fusion: 'cross-attention', seed: 0 },
    recipe.sizes,
    tokenizer,
  );
  const all: number[] = [];
  await trainByStages(model, examples, recipe, {
    seed: 0,
    onEvent: (event) => void (event.type === 'step' && all.push(event.loss)),
  });
  model.dispose();
  return all;
}

/** The kernels of one op with those of its gradients, by the op's name. */
async function groups(): Promise<Map<string, string[]>> {
  const { kernels } = await startBackend({ backend: 'wasm' });
  const found = new Map<string, string[]>();
  for (const { kernelName } of kernels) {
    if (!kernelName.startsWith('mmllm/')) continue;
    const op = kernelName.replace(/(Gain|Input)?Grad$/, '');
    found.set(op, [...(found.get(op) ?? []), kernelName]);
  }
  await stopBackend();
  return found;
}

describe('the main job', async () => {
  const off: [string, 'all' | string[]][] = [['all', 'all'], ...(await groups())];

  it.each(off)('has the same losses over 20 steps with kernels off: %s', async (_name, kernelsOff) => {
    expect(withKernels).toHaveLength(20);
    const { kernels } = await startBackend({ backend: 'wasm', kernelsOff });
    expect(kernels.some(({ reason }) => reason.startsWith('turned off'))).toBe(true);
    const before = tf.memory().numTensors;
    const without = await losses();
    expect(tf.memory().numTensors).toBe(before);
    for (const [step, loss] of without.entries()) {
      expect(Math.abs(loss - withKernels[step]), `step ${step + 1}`).toBeLessThan(1e-4);
    }
  });
});
