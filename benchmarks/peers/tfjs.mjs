/** Stock TensorFlow.js on wasm, which has one thread in Node. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { numbers } from '../src/inputs.ts';
import { firstRows, readSafetensors } from './safetensors.mjs';
import { attend, transposeByHand } from './tfjs-layers.mjs';
import { clipEmbeddings } from './tfjs-models.mjs';
import { trainingStep } from './tfjs-train.mjs';
import { loadWeights } from './tfjs-weights.mjs';

export async function open(work, { models }) {
  await tf.setBackend('wasm');
  switch (work.kind) {
    case 'attention':
      return openAttention(work);
    case 'vision':
      return openVision(join(models, work.model), work.batch);
    case 'train':
      return openTrain(join(models, work.model));
  }
}

/**
 * The same in experienced hands: its wasm product is fast only where neither side is transposed, and its gradients
 * transpose, so the gradients of linear layers are written by hand, with the transposition as an operation of its own.
 */
export async function openTransposing(work, setting) {
  transposeByHand();
  return open(work, setting);
}

const readConfig = (folder) => JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));

/** Runs a computation of one tensor and reads it. */
const reading = (compute) => ({
  async run() {
    const out = tf.tidy(compute);
    const values = await out.data();
    out.dispose();
    return { values: () => values };
  },
});

function openAttention({ heads, length, headSize }) {
  const shape = [1, heads, length, headSize];
  const [q, k, v] = [1, 2, 3].map((seed) => tf.tensor4d(numbers(heads * length * headSize, seed), shape));
  return reading(() => attend(q, k, v));
}

function openVision(folder, batch) {
  const weights = loadWeights(readSafetensors(join(folder, 'model.safetensors')));
  const { shape, data } = firstRows(readSafetensors(join(folder, 'golden.safetensors')).pixel_values, batch);
  const pixels = tf.tensor4d(data, shape);
  const config = readConfig(folder);
  return reading(() => clipEmbeddings(pixels, weights, config));
}

function openTrain(folder) {
  const step = trainingStep({
    config: readConfig(folder),
    file: readSafetensors(join(folder, 'model.safetensors')),
    batch: readSafetensors(join(folder, 'batch.safetensors')),
  });
  return {
    async run() {
      const loss = step();
      const values = await loss.data();
      loss.dispose();
      return { values: () => values };
    },
  };
}
