import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import {
  composeModel,
  disposeImages,
  type ModelInputs,
  type MultimodalModel,
  PlaceholderCountError,
  ShapeError,
} from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { crossEntropy } from '@mmllm/nn';
import { linear } from '@mmllm/projectors';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unified } from './index';
import { derivatives } from './testing/directional';
import { PixelEncoder, paddedIds, randomPictures, VIEW_ROWS } from './testing/fakes';

const VOCAB = 20;
/** Outside the vocabulary, as LLaVA's is. */
const IMAGE = 32_000;
const picture = new Array(VIEW_ROWS).fill(IMAGE);

let encoder: PixelEncoder;
let model: MultimodalModel;

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  encoder = new PixelEncoder();
  const decoder = llama({
    vocabSize: VOCAB,
    hiddenSize: 16,
    numLayers: 2,
    numHeads: 4,
    intermediateSize: 24,
    initializerRange: 0.4,
  });
  model = await composeModel({ encoder, projector: linear(), fusion: unified(), decoder });
  const projection = model.parameter('projector.layers.0.weight');
  projection.assign((await projection.read()).map((value) => 25 * value));
});

afterAll(() => model.dispose());

function inputsOf(
  rows: readonly (readonly number[])[],
  imagesPerSample: readonly number[],
  {
    side = 'left' as 'left' | 'right',
    images = imagesPerSample.flatMap((n) => new Array(n).fill(['image'])),
  } = {},
): ModelInputs {
  return {
    ...paddedIds(rows, side),
    imageTokenId: IMAGE,
    imagesPerSample,
    images: images.length > 0 ? randomPictures(images) : undefined,
  };
}

/** Runs with inputs that it frees, and checks that nothing else stays. */
const withInputs = (inputs: () => ModelInputs, run: (inputs: ModelInputs) => unknown) =>
  expectNoLeak(async () => {
    const made = inputs();
    try {
      await run(made);
    } finally {
      if (made.images) disposeImages(made.images);
    }
  });

const generate = async (inputs: ModelInputs) => {
  const fused = model.fuse(inputs);
  const tokens = Array.from(inputs.imagesPerSample, (): number[] => []);
  for await (const { ids } of model.decoder.generate(fused, { maxNewTokens: 6 })) {
    tokens.forEach((row, b) => {
      row.push(ids[b]);
    });
  }
  fused.embeddings.dispose();
  fused.dispose?.();
  return tokens;
};

describe('unified', () => {
  it('puts every feature row in the place of its image token, sample by sample', async () => {
    const rows = [
      [1, ...picture, 2, ...picture, 3],
      [4, 5],
      [...picture, 6],
    ];
    await withInputs(
      () => inputsOf(rows, [2, 0, 1]),
      async (inputs) => {
        const fused = model.fuse(inputs);
        const features = model.encodeImages(inputs.images!);
        const { data, shape } = inputs.ids;
        let nextRow = 0;
        const expected = tf.tidy(() => {
          const text = model.decoder.embed({ data: data.map((id) => (id === IMAGE ? 0 : id)), shape });
          const textRows = tf.unstack(tf.reshape(text, [-1, 16]));
          const featureRows = tf.unstack(features.features);
          const all = textRows.map((row, i) => (data[i] === IMAGE ? featureRows[nextRow++] : row));
          return tf.reshape(tf.stack(all), [...shape, 16]);
        });
        expect(nextRow).toBe(3 * VIEW_ROWS);
        await assertTensorsClose(fused.embeddings, expected, { tolerance: 0 });
        expect(fused.rule).toEqual({
          causal: true,
          start: inputs.start,
          end: inputs.end,
          prefix: undefined,
        });
        expect([...fused.positions.data.slice(shape[1], 2 * shape[1])]).toEqual([
          ...new Array(shape[1] - 2).fill(0),
          0,
          1,
        ]);
        tf.dispose([expected, fused.embeddings, features.features]);
        fused.dispose?.();
      },
    );
  });

  it('asks for one token a row, and none for views that only fill up', async () => {
    const { images, pixels } = randomPictures([['tile', 'tile', 'tile:filling', 'thumbnail']]);
    const [tokens] = model.imageTokens(images);
    expect(model.fusion?.placeholders(tokens)).toEqual([{ kind: 'features', count: 3 * VIEW_ROWS }]);
    pixels.dispose();
    await withInputs(
      () => inputsOf([[1, ...picture, ...picture]], [1], { images: [['tile', 'tile:filling', 'thumbnail']] }),
      (inputs) => {
        const rows = tf.tidy(() => {
          const fused = model.fuse(inputs);
          const [projected] = [model.encodeImages(inputs.images!).features];
          const places = tf.slice(tf.reshape(fused.embeddings, [-1, 16]), [1, 0], [8, 16]);
          return tf.sum(tf.abs(tf.sub(places, tf.gather(projected, [0, 1, 2, 3, 8, 9, 10, 11]))));
        });
        expect(rows.dataSync()[0]).toBe(0);
        rows.dispose();
      },
    );
  });

  it('sees image tokens in the text only, not in the padding', async () => {
    await withInputs(
      () => {
        const inputs = inputsOf(
          [
            [1, ...picture, 2, 3],
            [4, 5],
          ],
          [1, 0],
        );
        inputs.ids.data.fill(IMAGE, inputs.ids.shape[1], inputs.ids.shape[1] + 3);
        return inputs;
      },
      (inputs) => model.forward(inputs).dispose(),
    );
  });

  it('is the plain decoder for a text without pictures', async () => {
    await withInputs(
      () => inputsOf([[1, 2, 3], [4]], [0, 0]),
      async (inputs) => {
        const text = await composeModel({ decoder: model.decoder });
        const runs = encoder.runs;
        const [actual, expected] = [model.forward(inputs), text.forward(inputs)];
        expect(encoder.runs).toBe(runs);
        await assertTensorsClose(actual, expected, { tolerance: 0 });
        tf.dispose([actual, expected]);
      },
    );
  });

  it('leaves features that were given to it to their owner', async () => {
    await withInputs(
      () => inputsOf([[1, ...picture, 2]], [1]),
      async (inputs) => {
        const features = model.encodeImages(inputs.images!);
        const runs = encoder.runs;
        const [given, expected] = [model.forward(inputs, features), model.forward(inputs)];
        expect(encoder.runs).toBe(runs + 1);
        await assertTensorsClose(given, expected, { tolerance: 0 });
        expect(features.features.isDisposed).toBe(false);
        tf.dispose([given, expected, features.features]);
      },
    );
  });
});

describe('wrong counts', () => {
  const refuse = (rows: number[][], imagesPerSample: number[], text: string, images?: 'image'[][]) =>
    withInputs(
      () => inputsOf(rows, imagesPerSample, { images }),
      (inputs) => {
        const runs = encoder.runs;
        const before = tf.memory().numTensors;
        expect(() => model.fuse(inputs)).toThrow(PlaceholderCountError);
        expect(() => model.fuse(inputs)).toThrow(text);
        expect(encoder.runs).toBe(runs);
        expect(tf.memory().numTensors).toBe(before);
      },
    );

  it('names the sample, what its pictures need and what it has, before any kernel runs', async () => {
    const three = picture.slice(1);
    const text = 'expected 4 image tokens (id 32000) in sample 1, for 1 pictures, got 3.';
    await refuse(
      [
        [...picture, 1],
        [...three, 1],
      ],
      [1, 1],
      `fusion 'unified': ${text}`,
    );
    await refuse([[...picture, 1]], [0], 'expected 0 image tokens (id 32000) in sample 0');
    await refuse([[1, 2]], [1], 'got 0');
  });

  it('does not let one sample take another’s rows, though the sum is right', async () => {
    await refuse(
      [
        [...picture, IMAGE],
        [...picture.slice(1), 2],
      ],
      [1, 1],
      'in sample 0',
    );
  });

  it('refuses pictures that no sample has, and samples without a count', async () => {
    await refuse([[...picture]], [1], 'share 2 pictures among 1 samples, got [1]', [['image'], ['image']]);
    await refuse([[...picture], [1]], [1], 'share 1 pictures among 2 samples, got [1]');
  });

  it('refuses features of another width or with rows missing, and frees what it had', async () => {
    await withInputs(
      () => inputsOf([[...picture, 1]], [1]),
      (inputs) => {
        const images = model.imageTokens(inputs.images!.images);
        for (const shape of [
          [4, 8],
          [3, 16],
        ] as [number, number][]) {
          const features = tf.zeros<tf.Rank.R2>(shape);
          const before = tf.memory().numTensors;
          expect(() => model.fuse(inputs, { features, images })).toThrow(ShapeError);
          expect(tf.memory().numTensors).toBe(before);
          features.dispose();
        }
      },
    );
  });
});

describe('training', () => {
  it('gives projector and decoder the gradient of finite differences', async () => {
    const rows = [
      [1, ...picture, 2, 3],
      [...picture, 4],
    ];
    await withInputs(
      () => inputsOf(rows, [1, 1], { side: 'right' }),
      async (inputs) => {
        const [batch, length] = inputs.ids.shape;
        const targets = Int32Array.from({ length: batch * length }, (_, i) =>
          (i * 7) % 3 ? -100 : i % VOCAB,
        );
        const loss = () =>
          tf.tidy(() => {
            const logits = tf.reshape(model.forward(inputs), [batch * length, VOCAB]);
            return crossEntropy(logits as tf.Tensor2D, targets);
          });
        const parameters = [...model.namedParameters()];
        const { value, grads } = tf.variableGrads(
          loss,
          parameters.map(([, { value }]) => value),
        );
        for (const [path, parameter] of parameters) {
          const gradient = await grads[parameter.value.name].data();
          expect(gradient.every(Number.isFinite), path).toBe(true);
          expect(
            gradient.some((element) => element !== 0),
            path,
          ).toBe(true);
        }
        for (const path of ['projector.layers.0.weight', 'decoder.embedTokens.weight']) {
          const parameter = model.parameter(path);
          const { analytic, numeric } = await derivatives(parameter, grads[parameter.value.name], loss);
          expect(Math.abs(analytic - numeric), path).toBeLessThan(1e-3 * Math.max(0.1, Math.abs(numeric)));
        }
        value.dispose();
        tf.dispose(grads);
      },
    );
  });
});

describe('generation', () => {
  it('answers ragged prompts with pictures in a batch as it answers each alone', async () => {
    const rows = [
      [1, ...picture, 2, 3],
      [4, 5],
      [...picture, ...picture, 6],
    ];
    await withInputs(
      () => inputsOf(rows, [1, 0, 2]),
      async (inputs) => {
        const together = await generate(inputs);
        const { pixels, images } = inputs.images as ReturnType<typeof randomPictures>;
        const first = [0, 1, 1];
        for (const [b, row] of rows.entries()) {
          const count = inputs.imagesPerSample[b];
          const own = {
            kind: 'dense' as const,
            images: images.slice(first[b], first[b] + count),
            pixels: tf.slice(pixels, [first[b], 0, 0, 0], [count, 2, 2, 3]),
          };
          const alone = { ...inputsOf([row], [count], { images: [] }), images: count > 0 ? own : undefined };
          expect(await generate(alone)).toEqual([together[b]]);
          own.pixels.dispose();
        }
      },
    );
  });
});
