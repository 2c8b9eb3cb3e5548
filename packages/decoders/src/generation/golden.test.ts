import { readFileSync } from 'node:fs';
import { startBackend } from '@mmllm/backends';
import { loadWeights } from '@mmllm/checkpoints';
import { expectNoLeak } from '@mmllm/conformance';
import { type Decoder, type GenerateOptions, sequentialPositions } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openParityCase } from '../../../cli/src/parity';
import { fixtureFiles } from '../../../cli/src/testing/case-files';
import { llama } from '../llama';
import { generateRows, leftPadded } from '../testing/inputs';
import { sampleTokens } from './sampling';

interface Golden {
  readonly runs: readonly {
    readonly name: string;
    readonly prompts: readonly number[][];
    readonly options: GenerateOptions;
    readonly tokens: readonly number[][];
  }[];
  readonly guidance: readonly {
    readonly prompt: number[];
    readonly negative: number[];
    readonly scale: number;
    readonly tokens: number[];
  }[];
  readonly warped: readonly {
    readonly options: { temperature: number; topK?: number; topP?: number; minP?: number };
    readonly logits: number[];
    readonly probabilities: number[];
  }[];
}

/** Made by tools/generation_golden.py. */
const file = new URL('../../../../fixtures/generation/llama.json', import.meta.url);
const golden = JSON.parse(readFileSync(file, 'utf8')) as Golden;

let decoder: Decoder;

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  const { config, weights, close } = await openParityCase(fixtureFiles('decoder-llama/base'));
  decoder = llama(llama.checkpoint.config(await config()));
  await loadWeights(decoder, await weights(), llama.checkpoint.names());
  await close();
});

afterAll(() => decoder.dispose());

/** Up to the first stop token, which transformers leaves in, with padding behind it. */
function answer(tokens: readonly number[], stopIds: readonly number[] = []): readonly number[] {
  const end = tokens.findIndex((token) => stopIds.includes(token));
  return end < 0 ? tokens : tokens.slice(0, end);
}

describe('what transformers generates', () => {
  it.each(golden.runs)('$name, $prompts', async ({ prompts, options, tokens }) => {
    await expectNoLeak(async () => {
      const ours = await generateRows(decoder, prompts, options);
      expect(ours).toEqual(tokens.map((row) => answer(row, options.stopIds)));
    });
  });

  it.each(golden.guidance)('guided by $scale from $negative', async ({ prompt, negative, scale, tokens }) => {
    await expectNoLeak(async () => {
      const ids = { data: Int32Array.from(negative), shape: [1, negative.length] as const };
      const options = { maxNewTokens: tokens.length, guidance: { scale, negative: { ids } } };
      expect(await generateRows(decoder, [prompt], options)).toEqual([tokens]);
    });
  });

  it.each(golden.warped)('samples with $options', async ({ options, logits, probabilities }) => {
    // The likeliest first: each draw picks the token in whose part of the whole it falls.
    const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
    const draws = Float32Array.from({ length: 99 }, (_, i) => (i + 0.5) / 99);
    const sorted = options.topK !== undefined || options.topP !== undefined;
    const expected = Array.from(draws, (draw) => {
      let mass = 0;
      const places = sorted ? order : [...probabilities.keys()];
      return places.find((token) => {
        mass += probabilities[token];
        return draw < mass;
      });
    });
    const rows = tf.tensor2d(Array.from(draws, () => logits));
    const picked = sampleTokens(rows, draws, options);
    expect([...(await picked.data())]).toEqual(expected);
    tf.dispose([rows, picked]);
  });
});

describe('a batch', () => {
  it('of prompts of different length is guided by negative prompts of different length', async () => {
    const both = golden.guidance.filter(({ scale }) => scale > 1);
    const scale = 2;
    const negatives = leftPadded(both.map(({ negative }) => negative));
    const rule = { causal: true, start: negatives.start };
    const positions = sequentialPositions(negatives.ids.shape, negatives.start);
    const together = await generateRows(
      decoder,
      both.map(({ prompt }) => prompt),
      { maxNewTokens: 5, guidance: { scale, negative: { ids: negatives.ids, rule, positions } } },
    );
    for (const [i, { prompt, negative }] of both.entries()) {
      const ids = { data: Int32Array.from(negative), shape: [1, negative.length] as const };
      const options = { maxNewTokens: 5, guidance: { scale, negative: { ids } } };
      expect(await generateRows(decoder, [prompt], options)).toEqual([together[i]]);
    }
  });
});

describe('score', () => {
  const ids = { data: Int32Array.of(5, 17, 9), shape: [1, 3] as const };
  const continuations = [[7], [33, 70, 2], [4, 4]];

  /** By a whole pass for every continuation. */
  async function plainly(tokens: readonly number[]): Promise<number> {
    const all = Int32Array.from([...ids.data, ...tokens]);
    const logs = tf.tidy(() => {
      const { hidden } = decoder.forward({ ids: { data: all, shape: [1, all.length] } });
      return tf.logSoftmax(decoder.logits(hidden));
    });
    const values = await logs.data();
    logs.dispose();
    return tokens.reduce((sum, token, i) => sum + values[(2 + i) * decoder.vocabSize + token], 0);
  }

  it('gives what whole passes over prompt and continuation give', async () => {
    await expectNoLeak(async () => {
      const scores = await decoder.score({ ids }, continuations);
      for (const [i, tokens] of continuations.entries()) {
        expect(scores[i]).toBeCloseTo(await plainly(tokens), 4);
      }
      const [alone] = await decoder.score({ ids }, [[7]]);
      expect(alone).toBeCloseTo(scores[0], 5);
    });
  });

  it('refuses no continuation, an empty one, and several prompts', async () => {
    await expect(decoder.score({ ids }, [])).rejects.toThrow('at least one token');
    await expect(decoder.score({ ids }, [[1], []])).rejects.toThrow('at least one token');
    const two = { data: new Int32Array(4), shape: [2, 2] as const };
    await expect(decoder.score({ ids: two }, [[1]])).rejects.toThrow('one prompt');
  });
});

describe('processors', () => {
  it('change the logits and are told what was generated', async () => {
    const told: (readonly number[])[] = [];
    const tokens = await generateRows(decoder, [[5, 17]], {
      maxNewTokens: 4,
      processors: [
        (logits, { step, tokens }) => {
          told.push([step, ...tokens[0]]);
          const bonus = new Float32Array(decoder.vocabSize);
          bonus[60 + step] = 1e6;
          return tf.add(logits, tf.tensor1d(bonus));
        },
      ],
    });
    expect(tokens).toEqual([[60, 61, 62, 63]]);
    expect(told).toEqual([[0], [1, 60], [2, 60, 61], [3, 60, 61, 62]]);
  });

  it('presence and frequency penalties are taken from the answer’s tokens', async () => {
    const seen: number[][] = [];
    const always = (id: number) => (logits: tf.Tensor2D) => {
      seen.push([logits.dataSync()[id]]);
      const mask = new Float32Array(decoder.vocabSize).fill(-1e9);
      mask[id] = 0;
      return tf.add(logits, tf.tensor1d(mask)) as tf.Tensor2D;
    };
    const plain = { maxNewTokens: 3, processors: [always(9)] };
    await generateRows(decoder, [[5, 9]], plain);
    const before = seen.splice(0).flat();
    await generateRows(decoder, [[5, 9]], { ...plain, presencePenalty: 0.5, frequencyPenalty: 0.25 });
    const after = seen.flat();
    expect(after[0]).toBeCloseTo(before[0], 5);
    expect(before[1] - after[1]).toBeCloseTo(0.75, 4);
    expect(before[2] - after[2]).toBeCloseTo(1, 4);
  });
});

it('beams are refused beside sampling', async () => {
  await expect(generateRows(decoder, [[1]], { numBeams: 2, temperature: 1 })).rejects.toThrow('numBeams');
});
