import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, composeModel, UnsupportedVersionError } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { separateCodes, vocabularyCodes } from '../index';
import { tinyTokenizers } from '../testing/tiny';

beforeAll(() => startBackend({ backend: 'cpu' }));

const decoder = () => llama({ vocabSize: 30, hiddenSize: 8, numLayers: 1, numHeads: 2 });
const codes = { data: Int32Array.of(0, 10, 4), shape: [1, 3] } as const;

describe('codes of their own', () => {
  it('have vectors of the decoder’s width and logits, all counted with the model', async () => {
    await expectNoLeak(async () => {
      const generator = separateCodes(tinyTokenizers.janus!(), { numLayers: 3, headSize: 6 });
      const model = await composeModel({ decoder: decoder(), generator });
      const paths = [...model.namedParameters()].map(([path]) => path);
      expect(paths.filter((path) => /^generator\.(?!tokenizer)/.test(path))).toEqual([
        'generator.embedding.weight',
        ...[0, 1, 2].flatMap((i) => [`generator.aligner.${i}.weight`, `generator.aligner.${i}.bias`]),
        ...['fc1', 'fc2'].flatMap((name) => [`generator.head.${name}.weight`, `generator.head.${name}.bias`]),
      ]);
      expect(model.countParameters()).toBe(
        model.decoder.countParameters() + model.generator!.countParameters(),
      );
      expect(model.describe()).toContain('separate-codes');
      const embedded = model.generator!.embed(codes);
      const logits = model.generator!.logits(embedded);
      expect([embedded.shape, logits.shape]).toEqual([
        [1, 3, 8],
        [1, 3, 11],
      ]);
      expect(() => model.generator!.embed({ data: Int32Array.of(11), shape: [1, 1] })).toThrow(ConfigError);
      tf.dispose([embedded, logits]);
      model.dispose();
    });
  });

  it('are refused for unknown keys and values', () => {
    const tokenizer = tinyTokenizers.janus!();
    expect(() => separateCodes(tokenizer, { layers: 2 } as object)).toThrow(ConfigError);
    expect(() => separateCodes.checkpoint.config({ hidden_act: 'mish' })).toThrow(ConfigError);
  });
});

describe('codes that are words', () => {
  it.each([undefined, 5])('are embedded and predicted as words, the first being %s', async (firstId) => {
    await expectNoLeak(async () => {
      const generator = vocabularyCodes(tinyTokenizers.emu3!(), { firstId });
      const model = await composeModel({ decoder: decoder(), generator });
      const first = firstId ?? 30 - 11;
      const data = codes.data.map((code) => first + code);
      const [embedded, words] = [
        model.generator!.embed(codes),
        model.decoder.embed({ data, shape: codes.shape }),
      ];
      await assertTensorsClose(embedded, words, { tolerance: 0 });
      const logits = model.generator!.logits(embedded);
      const expected = tf.tidy(() =>
        tf.slice(model.decoder.logits(embedded) as tf.Tensor3D, [0, 0, first], [1, 3, 11]),
      );
      await assertTensorsClose(logits, expected, { tolerance: 0 });
      expect(() => model.generator!.embed({ data: Int32Array.of(-1), shape: [1, 1] })).toThrow(ConfigError);
      // The decoder's are counted once.
      expect([...model.namedParameters()].some(([path]) => /^generator\.(?!tokenizer)/.test(path))).toBe(
        false,
      );
      tf.dispose([embedded, words, logits, expected]);
      model.dispose();
    });
  });

  it('are refused where the vocabulary has no place for them', async () => {
    const tokenizer = tinyTokenizers.emu3!();
    for (const [firstId, vocabSize] of [
      [25, 30],
      [undefined, 10],
    ] as const) {
      const small = llama({ vocabSize, hiddenSize: 8, numLayers: 1, numHeads: 2 });
      const composing = composeModel({ decoder: small, generator: vocabularyCodes(tokenizer, { firstId }) });
      await expect(composing).rejects.toThrow(ConfigError);
    }
  });
});

it('a tokenizer of an unknown version is refused', async () => {
  const future = Object.assign(tinyTokenizers.emu3!(), { specVersion: 'vision-tokenizer/v9' });
  const composing = composeModel({ decoder: decoder(), generator: vocabularyCodes(future as never) });
  await expect(composing).rejects.toThrow(UnsupportedVersionError);
  await expect(composing).rejects.toThrow("tokenizer 'emu3-vq': expected specVersion vision-tokenizer/v1");
});
