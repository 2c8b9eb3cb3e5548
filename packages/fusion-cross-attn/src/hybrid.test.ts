import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import {
  composeModel,
  disposeImages,
  type FusionFactory,
  type ModelInputs,
  type MultimodalModel,
  PlaceholderCountError,
  ShapeError,
} from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { unified } from '@mmllm/fusion-unified';
import { linear } from '@mmllm/projectors';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  PixelEncoder,
  paddedIds,
  randomPictures,
  VIEW_ROWS,
  type ViewText,
} from '../../fusion-unified/src/testing/fakes';
import { hybrid } from './index';

const VOCAB = 20;
const IMAGE = 99;
const picture = new Array(VIEW_ROWS).fill(IMAGE);
const decoder = llama({
  vocabSize: VOCAB,
  hiddenSize: 16,
  numLayers: 2,
  numHeads: 4,
  intermediateSize: 24,
  initializerRange: 0.4,
});
const compose = (fusion: FusionFactory) =>
  composeModel({ encoder: new PixelEncoder(), projector: linear(), fusion, decoder });

let model: MultimodalModel;

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  model = await compose(hybrid({ every: 1, initializerRange: 0.4 }));
  const projection = model.parameter('projector.layers.0.weight');
  projection.assign((await projection.read()).map((value) => 25 * value));
});

afterAll(() => model.dispose());

function setGates(value: number): void {
  for (const [path, parameter] of model.namedParameters()) {
    if (path.endsWith('Gate')) parameter.assign(Float32Array.of(value));
  }
}

const rows = [
  [1, ...picture, 2, 3],
  [4, ...picture, 5],
];
const views: ViewText[][] = [['tile', 'tile', 'thumbnail'], ['image']];

const inputsOf = (pictures: readonly (readonly ViewText[])[] = views): ModelInputs => ({
  ...paddedIds(rows),
  imageTokenId: IMAGE,
  imagesPerSample: pictures.map(() => 1),
  images: randomPictures(pictures),
});

const withInputs = (run: (inputs: ModelInputs) => unknown, pictures?: ViewText[][]) =>
  expectNoLeak(async () => {
    const inputs = inputsOf(pictures);
    try {
      await run(inputs);
    } finally {
      disposeImages(inputs.images!);
    }
  });

/** Logits with one number added to the pixels of one view. */
async function withMoved(inputs: ModelInputs, view: number): Promise<Float32Array> {
  const { pixels } = inputs.images as ReturnType<typeof randomPictures>;
  const logits = tf.tidy(() => {
    const moved = tf.oneHot(tf.scalar(view, 'int32'), pixels.shape[0]);
    const others = tf.add(pixels, tf.reshape(tf.cast(moved, 'float32'), [-1, 1, 1, 1]));
    return model.forward({
      ...inputs,
      images: { ...inputs.images!, pixels: others as tf.Tensor4D } as never,
    });
  });
  const values = (await logits.data<'float32'>()).slice();
  logits.dispose();
  return values;
}

it('asks for the rows of the thumbnail, or of the only view', () => {
  const { images, pixels } = randomPictures(views);
  for (const tokens of model.imageTokens(images)) {
    expect(model.fusion?.placeholders(tokens)).toEqual([{ kind: 'features', count: VIEW_ROWS }]);
  }
  pixels.dispose();
});

it('is plain substitution of the thumbnail while the gates are closed', async () => {
  setGates(0);
  await withInputs(async (inputs) => {
    const plain = await compose(unified());
    plain.parameter('projector.layers.0.weight').assign(model.parameter('projector.layers.0.weight').value);
    plain.parameter('projector.layers.0.bias').assign(model.parameter('projector.layers.0.bias').value);
    const { images, pixels } = inputs.images as ReturnType<typeof randomPictures>;
    // The third view and the fourth: thumbnail and single view.
    const shown = tf.slice(pixels, [2, 0, 0, 0], [2, 2, 2, 3]);
    const single = images.map(({ original }) => ({
      original,
      views: [{ role: 'image' as const, height: 2, width: 2 }],
    }));
    const [actual, expected] = [
      model.forward(inputs),
      plain.forward({ ...inputs, images: { kind: 'dense', images: single, pixels: shown } }),
    ];
    await assertTensorsClose(actual, expected, { tolerance: 0 });
    tf.dispose([actual, expected, shown]);
    plain.projector?.dispose();
  });
});

it('sees the tiles through the layers, from the thumbnail on, and of each sample its own', async () => {
  setGates(0.7);
  await withInputs(async (inputs) => {
    const [, length] = inputs.ids.shape;
    const base = await withMoved(inputs, -1);
    const changed = async (view: number) => {
      const values = await withMoved(inputs, view);
      return Array.from({ length: 2 }, (_, b) =>
        Array.from({ length }, (_, t) => {
          const from = (b * length + t) * VOCAB;
          return values.slice(from, from + VOCAB).some((value, i) => value !== base[from + i]);
        }),
      );
    };
    const none = new Array(length).fill(false);
    const fromFirst = (start: number) => none.map((_, t) => t >= start);
    for (const view of [0, 1, 2]) expect(await changed(view)).toEqual([fromFirst(1), none]);
    expect(await changed(3)).toEqual([none, fromFirst(2)]);
  });
  setGates(0);
  await withInputs(async (inputs) => {
    expect(await withMoved(inputs, 0)).toEqual(await withMoved(inputs, -1));
    expect(await withMoved(inputs, 2)).not.toEqual(await withMoved(inputs, -1));
  });
});

it('generates with the cache what full passes give', async () => {
  setGates(0.7);
  await withInputs(async (inputs) => {
    const fused = model.fuse(inputs);
    const tokens: number[][] = [[], []];
    for await (const { ids } of model.decoder.generate(fused, { maxNewTokens: 5 })) {
      tokens.forEach((row, b) => {
        row.push(ids[b]);
      });
    }
    fused.embeddings.dispose();
    fused.dispose?.();
    for (let step = 0; step < 5; step++) {
      const grown = paddedIds(rows.map((row, b) => [...row, ...tokens[b].slice(0, step)]));
      const best = tf.tidy(() => {
        const logits = model.forward({ ...inputs, ...grown });
        const [batch, length] = grown.ids.shape;
        return tf.argMax(tf.slice(logits, [0, length - 1, 0], [batch, 1, VOCAB]), 2);
      });
      expect([...(await best.data())]).toEqual(tokens.map((row) => row[step]));
      best.dispose();
    }
  });
});

it('refuses wrong counts, and pictures of several views without a thumbnail', async () => {
  await withInputs(
    (inputs) => {
      expect(() => model.fuse(inputs)).toThrow(ShapeError);
      expect(() => model.fuse(inputs)).toThrow(
        "fusion 'hybrid': expected pictures with a thumbnail, or of a single view, got 2 views of role tile.",
      );
    },
    [['tile', 'tile'], ['image']],
  );
  await withInputs((inputs) => {
    inputs.ids.data[inputs.ids.data.length - 1] = IMAGE;
    expect(() => model.fuse(inputs)).toThrow(PlaceholderCountError);
  });
});
