import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, compareTensors, expectNoLeak } from '@mmllm/conformance';
import {
  composeModel,
  type DecoderInputs,
  disposeImages,
  type FusionFactory,
  type ModelInputs,
  type MultimodalModel,
  ShapeError,
} from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { linear } from '@mmllm/projectors';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PixelEncoder, paddedIds, randomPictures, VIEW_ROWS } from '../../fusion-unified/src/testing/fakes';
import { crossAttention, hybrid } from './index';

const IMAGE = 19;

interface Case {
  readonly fusion: FusionFactory;
  /** A picture in the text. */
  readonly picture: readonly number[];
}

const layers = { numHeads: 4, numKeyValueHeads: 2, initializerRange: 0.4 };
const cases: [string, Case][] = [
  ['cross-attention', { fusion: crossAttention({ layers: [0, 2], ...layers }), picture: [IMAGE] }],
  ['hybrid', { fusion: hybrid({ every: 1, ...layers }), picture: new Array(VIEW_ROWS).fill(IMAGE) }],
];

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
});

describe.each(cases)('%s: n rows of each sample', (_, { fusion, picture }) => {
  let model: MultimodalModel;

  beforeAll(async () => {
    const decoder = llama({
      vocabSize: 20,
      hiddenSize: 16,
      numLayers: 3,
      numHeads: 4,
      intermediateSize: 24,
      initializerRange: 0.4,
    });
    model = await composeModel({ encoder: new PixelEncoder(), projector: linear(), fusion, decoder });
    for (const [path, parameter] of model.namedParameters()) {
      if (path.endsWith('Gate')) parameter.assign(Float32Array.of(0.7));
    }
    const projection = model.parameter('projector.layers.0.weight');
    projection.assign((await projection.read()).map((value) => 25 * value));
  });

  afterAll(() => model.dispose());

  /** Samples with two pictures, without one, and with one: some tokens see a part of the pictures, some none. */
  const inputsOf = (): ModelInputs => ({
    ...paddedIds([
      [1, 2, ...picture, 3, 4, ...picture, 5],
      [6, 7, 8],
      [9, ...picture, 10, 11],
    ]),
    imageTokenId: IMAGE,
    imagesPerSample: [2, 0, 1],
    images: randomPictures([['image'], ['tile', 'tile', 'thumbnail'], ['image']]),
  });

  /** Runs with fused inputs, which it frees, and checks that nothing else stays. */
  const withFused = (run: (fused: DecoderInputs) => unknown) =>
    expectNoLeak(async () => {
      const inputs = inputsOf();
      const fused = model.fuse(inputs);
      try {
        await run(fused);
      } finally {
        fused.embeddings.dispose();
        fused.dispose?.();
        disposeImages(inputs.images!);
      }
    });

  const BATCH = 3;
  /** Row ⌊i / n⌋ in place i. */
  const rowsOf = (n: number) => Array.from({ length: n * BATCH }, (_, i) => Math.floor(i / n));

  /** The same inputs with n copies of each row. */
  function copied({ embeddings, positions, rule, ...rest }: DecoderInputs, n: number): DecoderInputs {
    const [, length] = positions.shape;
    const rows = rowsOf(n);
    return {
      ...rest,
      embeddings: tf.gather(embeddings, rows),
      positions: {
        axes: 1,
        data: Int32Array.from(rows.flatMap((b) => [...positions.data.slice(b * length, (b + 1) * length)])),
        shape: [rows.length, length],
      },
      rule: { causal: true, start: Int32Array.from(rows, (b) => rule.start![b]) },
    };
  }

  it.each([2, 3])('%d copies get what one gets', async (n) => {
    await withFused(async (fused) => {
      const [actual, expected] = tf.tidy(() => [
        model.decoder.forward(copied(fused, n)).hidden,
        tf.gather(model.decoder.forward(fused).hidden, rowsOf(n)),
      ]);
      await assertTensorsClose(actual, expected, { tolerance: 1e-5 });
      tf.dispose([actual, expected]);
    });
  });

  it('each goes on in its own way, as it would alone', async () => {
    await withFused(async (fused) => {
      const n = 2;
      const length = fused.embeddings.shape[1];
      const prompt = model.decoder.createCache(BATCH);
      model.decoder.forward(fused, { cache: prompt }).hidden.dispose();
      /** Two tokens for each row of a cache that holds the prompt. */
      const goOn = (tokens: readonly (readonly number[])[], rows: readonly number[]) => {
        const cache = prompt.select(rows);
        const shape = [rows.length, 2] as const;
        const start = Int32Array.from(rows, (b) => fused.rule.start![b]);
        const data = Int32Array.from(rows.flatMap((_, i) => [length - start[i], length - start[i] + 1]));
        const embeddings = model.decoder.embed({ data: Int32Array.from(tokens.flat()), shape });
        const step = {
          embeddings,
          positions: { data, axes: 1 as const, shape },
          rule: { causal: true, start },
        };
        const { hidden } = model.decoder.forward({ ...step, injections: fused.injections }, { cache });
        embeddings.dispose();
        cache.dispose();
        return hidden;
      };
      const tokens = rowsOf(n).map((_, i) => [i + 1, 2 * i + 3]);
      const together = goOn(tokens, rowsOf(n));
      const [first, second] = [0, 1].map((beam) =>
        goOn(
          tokens.filter((_, i) => i % n === beam),
          rowsOf(1),
        ),
      );
      const expected = tf.tidy(() => tf.reshape(tf.stack([first, second], 1), together.shape));
      await assertTensorsClose(together, expected, { tolerance: 1e-5 });
      await expect(compareTensors(first, second, { tolerance: 1e-2 })).resolves.toMatchObject({ ok: false });
      tf.dispose([together, first, second, expected]);
      prompt.dispose();
    });
  });

  it('refuses rows that are not equally many of each sample', async () => {
    await withFused((fused) => {
      for (const rows of [[0, 0, 1, 2], [0]]) {
        const hidden = tf.gather(fused.embeddings, rows);
        for (const injection of fused.injections!) {
          expect(() => injection.apply(hidden, 0)).toThrow(ShapeError);
        }
        hidden.dispose();
      }
    });
  });
});
