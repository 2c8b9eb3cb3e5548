import { startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import { ConfigError, type PromptMemory, ShapeError, type TextInputs } from '@mmllm/core';
import { afterAll, describe, expect, it } from 'vitest';
import { tinyLlama } from '../testing/tiny';

await startBackend({ backend: 'wasm' });
const decoder = tinyLlama({ maxLength: 64 });
afterAll(() => decoder.dispose());

const prompt = (...data: number[]): TextInputs => ({
  ids: { data: Int32Array.from(data), shape: [1, data.length] },
});

async function generate(inputs: TextInputs, memory?: PromptMemory, model = decoder): Promise<number[]> {
  const tokens: number[] = [];
  for await (const { ids } of model.generate(inputs, { maxNewTokens: 5, memory })) tokens.push(ids[0]);
  return tokens;
}

describe('a memory', () => {
  it('changes nothing but how much runs', async () => {
    await expectNoLeak(async () => {
      const memory = decoder.createMemory();
      const turns = [
        [3, 1, 4, 1, 5],
        [9, 2],
        [6, 5, 3],
      ];
      const text: number[] = [];
      for (const turn of turns) {
        text.push(...turn);
        const answer = await generate(prompt(...text), memory);
        expect(answer).toEqual(await generate(prompt(...text)));
        text.push(...answer);
        // The last token was never fed back.
        expect(memory.length).toBe(text.length - 1);
      }
      expect(await generate(prompt(3, 1, 7), memory)).toEqual(await generate(prompt(3, 1, 7)));
      expect(await generate(prompt(3, 1, 7), memory)).toEqual(await generate(prompt(3, 1, 7)));
      expect(await generate(prompt(8), memory)).toEqual(await generate(prompt(8)));
      memory.dispose();
    });
  });

  it('runs only what is new', async () => {
    const memory = decoder.createMemory();
    const lengths: number[] = [];
    const forward = decoder.forward.bind(decoder);
    decoder.forward = (inputs, options) => {
      lengths.push('embeddings' in inputs ? inputs.embeddings.shape[1] : inputs.ids.shape[1]);
      return forward(inputs, options);
    };
    const answer = await generate(prompt(3, 1, 4, 1, 5), memory);
    await generate(prompt(3, 1, 4, 1, 5, ...answer, 9, 2), memory);
    await generate(prompt(3, 1, 4, 8, 8), memory);
    decoder.forward = forward;
    expect([lengths[0], lengths[5], lengths[10]]).toEqual([5, 3, 2]);
    memory.dispose();
  });

  it('is right after a call that was left half-way', async () => {
    const memory = decoder.createMemory();
    for await (const _ of decoder.generate(prompt(3, 1, 4), { memory })) break;
    expect(await generate(prompt(3, 1, 4, 2), memory)).toEqual(await generate(prompt(3, 1, 4, 2)));
    memory.dispose();
  });

  it('of a prefix that grows starts anew', async () => {
    const memory = decoder.createMemory();
    const withPrefix = (...data: number[]): TextInputs => ({
      ...prompt(...data),
      rule: { causal: true, prefix: Int32Array.of(data.length) },
    });
    await generate(withPrefix(3, 1, 4), memory);
    expect(await generate(withPrefix(3, 1, 4, 2), memory)).toEqual(await generate(withPrefix(3, 1, 4, 2)));
    memory.dispose();
  });

  it('is refused by another decoder, to two calls at once, and for batches', async () => {
    const other = tinyLlama({}, 5);
    const memory = decoder.createMemory();
    await expect(generate(prompt(1, 2), memory, other)).rejects.toThrow(ConfigError);
    const first = decoder.generate(prompt(1, 2), { memory })[Symbol.asyncIterator]();
    await first.next();
    await expect(generate(prompt(1, 2), memory)).rejects.toThrow('one in use');
    await first.return?.();
    await generate(prompt(1, 2), memory);
    const two: TextInputs = { ids: { data: new Int32Array(4), shape: [2, 2] } };
    await expect(generate(two, memory)).rejects.toThrow(ShapeError);
    memory.dispose();
    other.dispose();
  });
});
