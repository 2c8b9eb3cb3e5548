import { startBackend } from '@mmllm/backends';
import { loadWeights } from '@mmllm/checkpoints';
import { assertTensorsClose, compareTensors } from '@mmllm/conformance';
import { ShapeError, zeros } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GoldenCase, memoryWeights, openCase } from '../testing/golden';
import { PatchEmbedding, patchify, unpatchify } from './patch-embedding';

const forms = ['linear', 'convolution'] as const;
let golden: GoldenCase;

async function loaded(form: (typeof forms)[number], bias = true): Promise<PatchEmbedding> {
  const embedding = new PatchEmbedding({ patchSize: 16, hiddenSize: 24, bias, form, initializer: zeros });
  const tensors = ['weight', 'bias'].map((name) => [name, golden.tensor(name)] as const);
  await loadWeights(embedding, memoryWeights(new Map(tensors)), {
    rules: [
      { ours: 'weight', theirs: 'weight', layout: 'conv-linear', kernel: [16, 16] },
      { ours: 'bias', theirs: 'bias' },
    ],
    ignore: bias ? [] : ['bias'],
  });
  return embedding;
}

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  golden = await openCase('patch-linear/p16-48px');
});

describe.each(forms)('PatchEmbedding, %s form', (form) => {
  const compare = async (embedding: PatchEmbedding) => {
    const { pixels } = golden.images('in.pixels');
    const tokens = embedding.forward(pixels);
    const result = await compareTensors(tokens, golden.tensor('out.tokens'), golden);
    tf.dispose([pixels, tokens]);
    embedding.dispose();
    return result;
  };

  it("equals PyTorch's strided convolution", async () => {
    expect(await compare(await loaded(form))).toMatchObject({ ok: true });
  });

  it('shows a dropped bias, and channels in another order', async () => {
    expect(await compare(await loaded(form, false))).toMatchObject({ ok: false });
    const embedding = await loaded(form);
    const { value } = embedding.weight;
    const swapped = tf.tidy(() => tf.reshape(tf.reverse(tf.reshape(value, [256, 3, 24]), 1), [768, 24]));
    embedding.weight.assign(swapped);
    swapped.dispose();
    expect(await compare(embedding)).toMatchObject({ ok: false });
  });

  it('leaves out what fills no whole patch', async () => {
    const embedding = await loaded(form);
    const pixels = tf.randomNormal<tf.Rank.R4>([2, 37, 50, 3], 0, 1, 'float32', 1);
    const tokens = embedding.forward(pixels);
    const whole = tf.tidy(() => embedding.forward(tf.slice4d(pixels, [0, 0, 0, 0], [-1, 32, 48, -1])));
    expect(tokens.shape).toEqual([2, 6, 24]);
    await assertTensorsClose(tokens, whole, { tolerance: 1e-6 });
    tf.dispose([pixels, tokens, whole]);
    embedding.dispose();
  });

  it('refuses pictures without a patch or with another number of channels', async () => {
    const embedding = await loaded(form);
    for (const shape of [
      [1, 15, 48, 3],
      [1, 48, 48, 1],
    ] as [number, number, number, number][]) {
      const pixels = tf.zeros<tf.Rank.R4>(shape);
      expect(() => embedding.forward(pixels)).toThrow(ShapeError);
      pixels.dispose();
    }
    embedding.dispose();
  });
});

afterAll(() => expect(tf.memory().numTensors).toBe(0));

describe('unpatchify', () => {
  it('puts back what patchify cut', async () => {
    const pixels = tf.randomNormal<tf.Rank.R4>([2, 8, 12, 3], 0, 1, 'float32', 1);
    const again = tf.tidy(() =>
      unpatchify(tf.reshape(patchify(pixels, 4), [2, 6, 48]), { rows: 2, columns: 3 }),
    );
    await assertTensorsClose(again, pixels, { tolerance: 0 });
    tf.dispose([pixels, again]);
  });
});
