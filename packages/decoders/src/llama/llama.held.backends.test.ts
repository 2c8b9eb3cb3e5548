import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { holdWeights } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { generateRows, textInputs } from '../testing/inputs';
import { tinyLlama } from '../testing/tiny';

const rows = [
  [3, 1, 4, 1, 5, 9],
  [2, 6],
];

const cases = (['bfloat16', 'float16', 'q8', 'q4', 'q4_1'] as const).flatMap((type) =>
  [true, false].map((tieWordEmbeddings) => ({ type, tieWordEmbeddings })),
);

describeBackends('llama with held weights', () => {
  it.each(cases)('is llama with the values that they count as: %o', { timeout: 300_000 }, async (one) => {
    const { type, tieWordEmbeddings } = one;
    await expectNoLeak(async () => {
      const config = { numLayers: 1, initializerRange: 0.3, tieWordEmbeddings };
      const [held, plain] = [tinyLlama(config), tinyLlama(config)];
      await holdWeights(held, type);
      for (const [path, parameter] of plain.namedParameters()) {
        parameter.assign(await held.parameter(path).read());
      }
      const logits = [held, plain].map((decoder) =>
        tf.tidy(() => decoder.logits(decoder.forward(textInputs(decoder, rows)).hidden)),
      );
      // Twelve rows of tokens: above the number that q8 and q4 round to 8 bits.
      await assertTensorsClose(logits[0]!, logits[1]!, { tolerance: 1e-4 });
      // One token at a time, which types in groups round to 8 bits: the third may be as near to another one.
      const greedy = { maxNewTokens: 2 };
      expect(await generateRows(held, rows, greedy)).toEqual(await generateRows(plain, rows, greedy));
      tf.dispose(logits);
      held.dispose();
      plain.dispose();
    });
  });
});
