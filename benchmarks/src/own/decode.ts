import { join } from 'node:path';
import type { Decoder, TextInputs } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { holdWeights } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { Engine, HeldType, Setting, Work } from '../engine.ts';
import { readConfig, readTensors } from '../files.ts';
import { fill } from './fill.ts';

async function openDecoder(folder: string, held: HeldType): Promise<Decoder> {
  const decoder = llama(llama.checkpoint.config(await readConfig(folder)));
  // Before there are weights, so that they are never all there as float32.
  await holdWeights(decoder, held);
  await fill(decoder, folder, llama.checkpoint.names());
  return decoder;
}

/** float32[vocabSize] after the prompt. */
async function firstLogits(decoder: Decoder, prompt: TextInputs): Promise<Float32Array> {
  const logits = tf.tidy(() => {
    const { hidden } = decoder.forward(prompt);
    const [, length, width] = hidden.shape;
    return decoder.logits(tf.reshape(tf.slice(hidden, [0, length - 1, 0]), [1, width]));
  });
  const values = await logits.data<'float32'>();
  logits.dispose();
  return values;
}

export async function openDecode(
  { model, held }: Extract<Work, { kind: 'decode' }>,
  { models }: Setting,
): Promise<Engine> {
  const folder = join(models, model);
  const golden = await readTensors(join(folder, 'golden.safetensors'));
  const decoder = await openDecoder(folder, held);
  const ids = golden('input_ids').data as Int32Array;
  const count = golden('tokens').data.length;
  const prompt: TextInputs = { ids: { data: ids, shape: [1, ids.length] } };
  const logits = await firstLogits(decoder, prompt);
  return {
    async run() {
      const tokens: number[] = [];
      const start = performance.now();
      let first = 0;
      for await (const step of decoder.generate(prompt, { maxNewTokens: count })) {
        if (tokens.length === 0) first = performance.now();
        tokens.push(step.ids[0]);
      }
      const msPerToken = (performance.now() - first) / (tokens.length - 1);
      return { tokens, msToFirst: first - start, msPerToken, values: () => logits };
    },
  };
}
