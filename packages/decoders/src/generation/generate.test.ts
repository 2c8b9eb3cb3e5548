import { startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import {
  ConfigError,
  ContextLengthError,
  type Decoder,
  type DecoderInputs,
  type GeneratedTokens,
  type GenerateOptions,
  ShapeError,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { generateRows, textInputs } from '../testing/inputs';
import { tinyLlama } from '../testing/tiny';

await startBackend({ backend: 'wasm' });
const decoder = tinyLlama();
const rows = [
  [3, 1, 4, 1, 5, 9],
  [2, 6],
  [5, 3, 5, 8],
];

afterAll(() => decoder.dispose());

/** Greedy tokens by a full pass over the whole text for every one of them. */
async function withoutCache(model: Decoder, row: readonly number[], count: number): Promise<number[]> {
  const all = [...row];
  for (let i = 0; i < count; i++) {
    const best = tf.tidy(() => {
      const logits = model.logits(model.forward(textInputs(model, [all])).hidden);
      return tf.argMax(tf.slice(logits, [0, all.length - 1, 0], [1, 1, model.vocabSize]), 2);
    });
    all.push((await best.data())[0]);
    best.dispose();
  }
  return all.slice(row.length);
}

async function collect(inputs: DecoderInputs, options: GenerateOptions): Promise<GeneratedTokens[]> {
  const steps: GeneratedTokens[] = [];
  for await (const step of decoder.generate(inputs, options)) steps.push(step);
  return steps;
}

/** Runs with inputs that it frees, and checks that nothing else stays. */
const withInputs = (run: (inputs: DecoderInputs) => Promise<void>, prompts = rows) =>
  expectNoLeak(async () => {
    const inputs = textInputs(decoder, prompts);
    await run(inputs);
    inputs.embeddings.dispose();
  });

describe('generate', () => {
  it('gives ragged prompts in a batch what each gets alone, and what full passes give', async () => {
    await expectNoLeak(async () => {
      const together = await generateRows(decoder, rows, { maxNewTokens: 10 });
      for (const [b, row] of rows.entries()) {
        expect(await generateRows(decoder, [row], { maxNewTokens: 10 })).toEqual([together[b]]);
        expect(await withoutCache(decoder, row, 10)).toEqual(together[b]);
      }
      expect(new Set(together.flat()).size).toBeGreaterThan(5);
    });
  });

  it('says −1 for a sequence that has ended, and ends with the last', async () => {
    const free = await generateRows(decoder, rows, { maxNewTokens: 10 });
    const stopIds = [free[0][2], free[1][5]];
    const ends = free.map((tokens) => tokens.findIndex((token) => stopIds.includes(token)));
    await withInputs(async (inputs) => {
      const steps = await collect(inputs, { maxNewTokens: 10, stopIds });
      const last = Math.max(...ends.map((end) => (end < 0 ? 10 : end + 1)));
      expect(steps).toHaveLength(last);
      free.forEach((tokens, b) => {
        const end = ends[b] < 0 ? tokens.length : ends[b];
        expect(steps.map(({ ids }) => ids[b])).toEqual(
          steps.map((_, step) => (step < end ? tokens[step] : -1)),
        );
        const reason = ends[b] < 0 ? 'length' : 'stop';
        const from = ends[b] < 0 ? 9 : ends[b];
        expect(steps.map(({ finished }) => finished[b])).toEqual(
          steps.map((_, step) => (step < from ? undefined : reason)),
        );
      });
    });
  });

  it('samples the same for the same seed, and greedily with one candidate', async () => {
    const sample = (options: GenerateOptions) => generateRows(decoder, rows, { maxNewTokens: 8, ...options });
    const first = await sample({ temperature: 1.5, topP: 0.95, seed: 3 });
    expect(await sample({ temperature: 1.5, topP: 0.95, seed: 3 })).toEqual(first);
    expect(await sample({ temperature: 1.5, topP: 0.95, seed: 4 })).not.toEqual(first);
    expect(await sample({ temperature: 1.5, topK: 1 })).toEqual(await sample({}));
  });

  it('stops where the context ends, unless more was asked for', async () => {
    await withInputs(async (inputs) => {
      const steps = await collect(inputs, {});
      expect(steps).toHaveLength(32 - 6);
      expect(steps.at(-1)?.finished).toEqual(['length', 'length', 'length']);
      expect(await collect(inputs, { maxNewTokens: 26 })).toEqual(steps);
      await expect(collect(inputs, { maxNewTokens: 27 })).rejects.toThrow(ContextLengthError);
    });
    await withInputs(
      async (inputs) => {
        await expect(collect(inputs, {})).rejects.toThrow('at most 32 tokens, prompt and answer together');
      },
      [new Array(32).fill(1)],
    );
  });

  it('frees all when the consumer leaves early or throws', async () => {
    await withInputs(async (inputs) => {
      for await (const { ids } of decoder.generate(inputs)) {
        expect(ids).toHaveLength(3);
        break;
      }
      const failing = (async () => {
        for await (const _ of decoder.generate(inputs)) throw new Error('consumer');
      })();
      await expect(failing).rejects.toThrow('consumer');
    });
  });

  it('ends with the reason of the signal, before the first step and between steps', async () => {
    await withInputs(async (inputs) => {
      const reason = new Error('enough');
      await expect(collect(inputs, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      const controller = new AbortController();
      let steps = 0;
      const run = (async () => {
        for await (const _ of decoder.generate(inputs, { signal: controller.signal })) {
          if (++steps === 3) controller.abort(reason);
        }
      })();
      await expect(run).rejects.toBe(reason);
      expect(steps).toBe(3);
      const during = new AbortController();
      const aborted = collect(inputs, { signal: during.signal });
      during.abort(reason);
      await expect(aborted).rejects.toBe(reason);
    });
  });

  it('runs twice at once on one model', async () => {
    const alone = [
      await generateRows(decoder, [rows[0]], { maxNewTokens: 12 }),
      await generateRows(decoder, rows.slice(1), { maxNewTokens: 9, temperature: 1 }),
    ];
    await expectNoLeak(async () => {
      const both = await Promise.all([
        generateRows(decoder, [rows[0]], { maxNewTokens: 12 }),
        generateRows(decoder, rows.slice(1), { maxNewTokens: 9, temperature: 1 }),
      ]);
      expect(both).toEqual(alone);
    });
  });

  it('hands every step to the injections, with its offset', async () => {
    const seen: string[] = [];
    await withInputs(async (inputs) => {
      const injection = {
        layer: 1,
        place: 'before' as const,
        apply: (x: tf.Tensor3D, offset: number) => {
          seen.push(`${offset}+${x.shape[1]}`);
          return x;
        },
      };
      await collect({ ...inputs, injections: [injection] }, { maxNewTokens: 4 });
    });
    expect(seen).toEqual(['0+6', '6+1', '7+1', '8+1']);
  });

  it('goes on after a prefix that sees itself whole', async () => {
    await withInputs(
      async (inputs) => {
        const prefix = Int32Array.of(4);
        const rule = { causal: true, prefix };
        const steps = await collect({ ...inputs, rule }, { maxNewTokens: 5 });
        const tokens = steps.map(({ ids }) => ids[0]);
        const all = textInputs(decoder, [[...rows[0], ...tokens]]);
        const best = tf.tidy(() => {
          const logits = decoder.logits(decoder.forward({ ...all, rule }).hidden);
          return tf.argMax(tf.slice(logits, [0, 5, 0], [1, 5, 40]), 2);
        });
        expect([...(await best.data())]).toEqual(tokens);
        tf.dispose([all.embeddings, best]);
      },
      [rows[0]],
    );
  });

  it('refuses options and rules that make no sense', async () => {
    await withInputs(async (inputs) => {
      for (const options of [
        { maxNewTokens: 0 },
        { temperature: -1 },
        { topK: 0 },
        { topP: 0 },
        { topP: 1.1 },
      ]) {
        await expect(collect(inputs, options)).rejects.toThrow(ConfigError);
      }
      const bias = { causal: true, bias: new Float32Array(36), biasShape: [1, 1, 6, 6] as const };
      await expect(collect({ ...inputs, rule: bias }, {})).rejects.toThrow(ShapeError);
      const end = Int32Array.of(6, 2, 4);
      await expect(collect({ ...inputs, rule: { causal: true, end } }, {})).rejects.toThrow(
        'Pad on the left.',
      );
    });
  });
});
