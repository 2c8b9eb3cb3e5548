import { startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import { ConfigError, ContextLengthError, type ModelInputs } from '@mmllm/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { train, trained } from '.';
import { packed } from './packed';
import { compose, questions } from './testing/composed';
import { stepOf } from './testing/gradients';

beforeAll(() => startBackend({ backend: 'cpu' }));

/** Samples of 3, 4, 2 and 1 tokens with 1, 0, 2 and 1 pictures. */
const inputs: ModelInputs = {
  // biome-ignore format: a row a sample
  ids: { data: Int32Array.of(
    11, 12, 13, 0,
    21, 22, 23, 24,
    31, 32, 0, 0,
    41, 0, 0, 0), shape: [4, 4] },
  end: Int32Array.of(3, 4, 2, 1),
  // biome-ignore format: a row a sample
  labels: Int32Array.of(
    -100, 13, -100, -100,
    22, 23, 24, -100,
    32, -100, -100, -100,
    7, -100, -100, -100),
  imageTokenId: 99,
  imagesPerSample: [1, 0, 2, 1],
};

describe('packed', () => {
  it('puts each sample into the first row with room for it, with its labels and pictures', () => {
    const { inputs: rows, pictures } = packed(inputs, { length: 5 });
    expect(rows.ids.shape).toEqual([2, 5]);
    expect([...rows.ids.data]).toEqual([11, 12, 13, 31, 32, 21, 22, 23, 24, 41]);
    expect([...rows.blocks!]).toEqual([0, 0, 0, 1, 1, 0, 0, 0, 0, 1]);
    expect([...rows.labels!]).toEqual([-100, 13, -100, 32, -100, 22, 23, 24, -100, 7]);
    expect([...rows.end!]).toEqual([5, 5]);
    expect(rows.imagesPerSample).toEqual([3, 1]);
    expect(pictures).toEqual([0, 1, 2, 3]);
  });

  it('tells the new order of the pictures, and pads rows on the right', () => {
    const { inputs: rows, pictures } = packed(inputs, { length: 4 });
    expect([...rows.ids.data]).toEqual([11, 12, 13, 41, 21, 22, 23, 24, 31, 32, 0, 0]);
    expect([...rows.blocks!]).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, -1, -1]);
    expect([...rows.end!]).toEqual([4, 4, 2]);
    expect(pictures).toEqual([0, 3, 1, 2]);
  });

  it('refuses samples that do not fit, and prefixes', () => {
    expect(() => packed(inputs, { length: 3 })).toThrow(ContextLengthError);
    expect(() => packed(inputs, { length: 3 })).toThrow('4 tokens in sample 1');
    const prefix = new Int32Array(4);
    expect(() => packed({ ...inputs, prefix }, { length: 5 })).toThrow(ConfigError);
  });
});

describe('a stage with packing', () => {
  it('trains as one without', async () => {
    const losses = await Promise.all(
      [undefined, { length: 32 }].map(async (packing) => {
        const model = await compose();
        const stage = {
          name: 'packed',
          policy: [['**', trained()]] as const,
          data: questions,
          steps: 3,
          packing,
        };
        const seen: number[] = [];
        for await (const { loss } of train(model, { stages: [stage], batchSize: 8 })) seen.push(loss);
        model.dispose();
        return seen;
      }),
    );
    losses[0].forEach((loss, i) => {
      expect(losses[1][i]).toBeCloseTo(loss, 4);
    });
  });

  it('is refused with pictures behind cross-attention, and for a length that is none', async () => {
    for (const fusion of ['cross-attention', 'hybrid'] as const) {
      const model = await compose('clip', fusion);
      await expectNoLeak(() =>
        expect(stepOf(model, questions.slice(0, 3), { packing: { length: 32 } })).rejects.toThrow(
          'expected one sample with pictures to a row, got packed samples',
        ),
      );
      const stage = { name: 'none', policy: [['**', trained()]] as const, data: questions, steps: 1 };
      const run = train(model, { stages: [{ ...stage, packing: { length: 0 } }] });
      await expect(run).rejects.toThrow("stage 'none'.packing.length");
      model.dispose();
    }
  });
});
