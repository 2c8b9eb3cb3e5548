import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBackend } from '@mmllm/backends';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { answer, type Chat, openFolder, openGgufFile } from './answer.ts';
import type { Expected } from './compare.ts';

// A small random model laid out as SmolLM2-135M-Instruct; tools/make_token_fixtures.py writes it.
const folder = fileURLToPath(new URL('../../../fixtures/tokens', import.meta.url));
const expected: Expected[] = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));

beforeAll(() => startBackend({ backend: 'wasm' }));

async function answerAll(chat: Chat) {
  const answers = [];
  for (const { prompt, tokens } of expected) answers.push(await answer(chat, prompt, tokens.length));
  return answers;
}

const wanted = expected.map(({ ids, tokens }) => ({ ids, tokens }));

describe.each([
  ['safetensors', () => openFolder(folder)],
  ['GGUF', () => openGgufFile(join(folder, 'model.gguf'), folder)],
])('%s', (_, open) => {
  it('gives the tokens of transformers, and leaves no tensor behind', async () => {
    const chat = await open();
    const tensors = tf.memory().numTensors;
    expect(await answerAll(chat)).toEqual(wanted);
    expect(tf.memory().numTensors).toBe(tensors);
    chat.decoder.dispose();
  });

  it('gives others when any weight is zero', async () => {
    const chat = await open();
    for (const [path, parameter] of chat.decoder.namedParameters()) {
      const values = await parameter.read();
      parameter.assign(new Float32Array(parameter.size));
      expect(await answerAll(chat), path).not.toEqual(wanted);
      parameter.assign(values);
    }
    expect(await answerAll(chat)).toEqual(wanted);
    chat.decoder.dispose();
  });
});
