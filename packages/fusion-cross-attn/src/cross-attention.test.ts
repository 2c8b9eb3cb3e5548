import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, compareTensors, expectNoLeak } from '@mmllm/conformance';
import {
  composeModel,
  disposeImages,
  type ImageFeatures,
  type ModelInputs,
  type MultimodalModel,
  PlaceholderCountError,
} from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { crossEntropy } from '@mmllm/nn';
import { linear } from '@mmllm/projectors';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { derivatives } from '../../fusion-unified/src/testing/directional';
import {
  PixelEncoder,
  paddedIds,
  randomPictures,
  type ViewText,
} from '../../fusion-unified/src/testing/fakes';
import { crossAttention } from './index';
import type { GatedCrossAttention } from './layer';

const VOCAB = 20;
const IMAGE = 19;

let encoder: PixelEncoder;
let model: MultimodalModel;
/** The same decoder without pictures. */
let text: MultimodalModel;

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  encoder = new PixelEncoder();
  const decoder = llama({
    vocabSize: VOCAB,
    hiddenSize: 16,
    numLayers: 3,
    numHeads: 4,
    intermediateSize: 24,
    initializerRange: 0.4,
  });
  const fusion = crossAttention({ layers: [0, 2], numHeads: 4, numKeyValueHeads: 2, initializerRange: 0.4 });
  model = await composeModel({ encoder, projector: linear(), fusion, decoder });
  text = await composeModel({ decoder });
  const projection = model.parameter('projector.layers.0.weight');
  projection.assign((await projection.read()).map((value) => 25 * value));
});

afterAll(() => model.dispose());

beforeEach(() => setGates(0.7));

function setGates(value: number): void {
  for (const [path, parameter] of model.namedParameters()) {
    if (path.endsWith('Gate')) parameter.assign(Float32Array.of(value));
  }
}

function inputsOf(
  rows: readonly (readonly number[])[],
  pictures: readonly (readonly (readonly ViewText[])[])[],
  side: 'left' | 'right' = 'left',
): ModelInputs {
  return {
    ...paddedIds(rows, side),
    imageTokenId: IMAGE,
    imagesPerSample: pictures.map(({ length }) => length),
    images: pictures.flat().length > 0 ? randomPictures(pictures.flat()) : undefined,
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

const withoutImages = ({ images: _, ...inputs }: ModelInputs): ModelInputs => inputs;

/** Rows of the whole batch with other pixels from view `from` on. */
function withOtherPixels(inputs: ModelInputs, from: number): ModelInputs {
  if (inputs.images?.kind !== 'dense') throw new Error('dense pictures only');
  const { pixels } = inputs.images;
  const other = tf.tidy(() => {
    const [views] = pixels.shape;
    const kept = tf.slice(pixels, [0, 0, 0, 0], [from, 2, 2, 3]);
    return tf.concat([kept, tf.add(tf.slice(pixels, [from, 0, 0, 0], [views - from, 2, 2, 3]), 1)], 0);
  });
  return { ...inputs, images: { ...inputs.images, pixels: other as tf.Tensor4D } };
}

async function logitsOf(of: MultimodalModel, inputs: ModelInputs): Promise<Float32Array[][]> {
  const logits = of.forward(inputs);
  const [batch, length, vocab] = logits.shape;
  const values = await logits.data<'float32'>();
  logits.dispose();
  const at = (b: number, t: number) => values.slice((b * length + t) * vocab, (b * length + t + 1) * vocab);
  return Array.from({ length: batch }, (_, b) => Array.from({ length }, (_, t) => at(b, t)));
}

async function generate(of: MultimodalModel, inputs: ModelInputs, maxNewTokens = 6): Promise<number[][]> {
  const fused = of.fuse(inputs);
  const tokens = inputs.imagesPerSample.map((): number[] => []);
  for await (const { ids } of of.decoder.generate(fused, { maxNewTokens })) {
    tokens.forEach((row, b) => {
      row.push(ids[b]);
    });
  }
  fused.embeddings.dispose();
  fused.dispose?.();
  return tokens;
}

const mixed = () =>
  inputsOf(
    [
      [1, 2, IMAGE, 3, 4, IMAGE, 5],
      [6, 7, 8],
      [9, IMAGE, 10, 11],
    ],
    [[['image'], ['tile', 'thumbnail']], [], [['image']]],
  );

it('names its parameters, marks a picture with one token, and starts with closed gates', async () => {
  const fresh = await composeModel({
    encoder: new PixelEncoder(),
    projector: linear(),
    fusion: crossAttention({ every: 2 }),
    decoder: llama({ vocabSize: 5, hiddenSize: 8, numLayers: 2, numHeads: 2 }),
  });
  const own = [...fresh.namedParameters()].filter(([path]) => path.startsWith('fusion.'));
  expect(own.map(([path]) => path)).toMatchInlineSnapshot(`
    [
      "fusion.layers.0.attentionNorm.weight",
      "fusion.layers.0.crossAttention.qProj.weight",
      "fusion.layers.0.crossAttention.kProj.weight",
      "fusion.layers.0.crossAttention.vProj.weight",
      "fusion.layers.0.crossAttention.outProj.weight",
      "fusion.layers.0.crossAttention.qNorm.weight",
      "fusion.layers.0.crossAttention.kNorm.weight",
      "fusion.layers.0.attentionGate",
      "fusion.layers.0.mlpNorm.weight",
      "fusion.layers.0.mlp.gateProj.weight",
      "fusion.layers.0.mlp.upProj.weight",
      "fusion.layers.0.mlp.downProj.weight",
      "fusion.layers.0.mlpGate",
    ]
  `);
  expect(await fresh.parameter('fusion.layers.0.attentionGate').read()).toEqual(Float32Array.of(0));
  expect(await fresh.parameter('fusion.layers.0.mlpGate').read()).toEqual(Float32Array.of(0));
  const { images, pixels } = randomPictures([['tile', 'thumbnail']]);
  expect(fresh.fusion?.placeholders(fresh.imageTokens(images)[0])).toEqual([{ kind: 'marker' }]);
  pixels.dispose();
  fresh.dispose();
});

describe('what text stays as it was', () => {
  it('all of it, to the bit, while the gates are closed', async () => {
    await withInputs(mixed, async (inputs) => {
      const plain = await logitsOf(text, withoutImages(inputs));
      setGates(0);
      expect(await logitsOf(model, inputs)).toEqual(plain);
      setGates(0.7);
      expect(await logitsOf(model, inputs)).not.toEqual(plain);
    });
  });

  it('a batch without pictures, to the bit, at any gate', async () => {
    await withInputs(
      () => inputsOf([[1, 2, 3], [4]], [[], []]),
      async (inputs) => {
        const runs = encoder.runs;
        expect(await logitsOf(model, inputs)).toEqual(await logitsOf(text, inputs));
        expect(encoder.runs).toBe(runs);
      },
    );
  });

  it('tokens before the first picture, and samples without one', async () => {
    await withInputs(mixed, async (inputs) => {
      const plain = await logitsOf(text, withoutImages(inputs));
      const seen = await logitsOf(model, inputs);
      expect(seen[1]).toEqual(plain[1]);
      expect(seen[0].slice(0, 2)).toEqual(plain[0].slice(0, 2));
      expect(seen[2].slice(0, 4)).toEqual(plain[2].slice(0, 4));
      // Its marker is the first token that sees a picture.
      expect(seen[0][2]).not.toEqual(plain[0][2]);
      expect(seen[2][4]).not.toEqual(plain[2][4]);
    });
  });

  it('what stands before a later picture', async () => {
    await withInputs(mixed, async (inputs) => {
      const changed = withOtherPixels(inputs, 1);
      const [before, after] = [await logitsOf(model, inputs), await logitsOf(model, changed)];
      disposeImages(changed.images!);
      expect(after[0].slice(0, 5)).toEqual(before[0].slice(0, 5));
      for (const t of [5, 6]) expect(after[0][t]).not.toEqual(before[0][t]);
    });
  });
});

describe('what is seen', () => {
  it('is the same in a ragged batch as alone', async () => {
    await withInputs(mixed, async (inputs) => {
      const together = await logitsOf(model, inputs);
      const { images, pixels } = inputs.images as ReturnType<typeof randomPictures>;
      const only = (b: number, row: number[], first: number, count: number, view: number, views: number) => ({
        b,
        inputs: {
          ...inputsOf([row], [[]]),
          imagesPerSample: [count],
          images: {
            kind: 'dense' as const,
            images: images.slice(first, first + count),
            pixels: tf.slice(pixels, [view, 0, 0, 0], [views, 2, 2, 3]) as tf.Tensor4D,
          },
        },
      });
      for (const { b, inputs: alone } of [
        only(0, [1, 2, IMAGE, 3, 4, IMAGE, 5], 0, 2, 0, 3),
        only(2, [9, IMAGE, 10, 11], 2, 1, 3, 1),
      ]) {
        const [own] = await logitsOf(model, alone);
        const expected = together[b].slice(-own.length);
        for (const [t, logits] of own.entries()) {
          await assertTensorsClose(
            { shape: [VOCAB], data: logits },
            { shape: [VOCAB], data: expected[t] },
            { tolerance: 1e-5 },
          );
        }
        disposeImages(alone.images);
      }
    });
  });

  it('leaves out views that only fill up, and rows that the encoder masks', async () => {
    const rows = [[1, IMAGE, 2]];
    await withInputs(
      () => inputsOf(rows, [[['tile', 'tile:filling', 'tile']]]),
      async (inputs) => {
        const { pixels } = inputs.images as ReturnType<typeof randomPictures>;
        const features = model.encodeImages(inputs.images!);
        const filled = await logitsOf(model, inputs);
        const whole: ImageFeatures = {
          features: features.features,
          images: [{ views: [{ role: 'image', start: 0, count: 12, prefix: 0 }] }],
        };
        const logits = async (given: ImageFeatures) => {
          const tensor = model.forward(inputs, given);
          const close = await compareTensors(
            tensor,
            { shape: tensor.shape, data: Float32Array.from(filled[0].flatMap((row) => [...row])) },
            { tolerance: 1e-5 },
          );
          tensor.dispose();
          return close.ok;
        };
        const mask = Uint8Array.from({ length: 12 }, (_, row) => (row >= 4 && row < 8 ? 0 : 1));
        expect(await logits({ ...whole, mask })).toBe(true);
        expect(await logits(whole)).toBe(false);
        expect(pixels.isDisposed).toBe(false);
        features.features.dispose();
      },
    );
  });

  it('is counted before any kernel runs', async () => {
    await withInputs(
      () => inputsOf([[1, IMAGE, IMAGE], [2]], [[['image']], [['image']]]),
      (inputs) => {
        const runs = encoder.runs;
        const before = tf.memory().numTensors;
        expect(() => model.fuse(inputs)).toThrow(PlaceholderCountError);
        expect(() => model.fuse(inputs)).toThrow(
          "fusion 'cross-attention': expected 1 image tokens (id 19) in sample 0, for 1 pictures, got 2.",
        );
        expect(encoder.runs).toBe(runs);
        expect(tf.memory().numTensors).toBe(before);
      },
    );
  });
});

describe('generation', () => {
  it('gives with the cache what full passes over the growing text give', async () => {
    await withInputs(mixed, async (inputs) => {
      const tokens = await generate(model, inputs);
      const rows = [
        [1, 2, IMAGE, 3, 4, IMAGE, 5],
        [6, 7, 8],
        [9, IMAGE, 10, 11],
      ];
      for (let step = 0; step < tokens[0].length; step++) {
        const grown = {
          ...inputs,
          ...paddedIds(rows.map((row, b) => [...row, ...tokens[b].slice(0, step)])),
        };
        const logits = await logitsOf(model, grown);
        logits.forEach((row, b) => {
          const last = row.at(-1)!;
          expect(last.indexOf(Math.max(...last))).toBe(tokens[b][step]);
        });
      }
    });
  });

  it('makes keys and values once, and keeps them until the inputs are disposed of', async () => {
    await withInputs(mixed, async (inputs) => {
      const layers = (model.fusion as unknown as { layers: GatedCrossAttention[] }).layers;
      const spies = layers.map((layer) => vi.spyOn(layer, 'keyValues'));
      await generate(model, inputs);
      for (const spy of spies) {
        expect(spy).toHaveBeenCalledTimes(1);
        spy.mockRestore();
      }
    });
  });

  it('goes on after a cached part of the prompt', async () => {
    await withInputs(mixed, async (inputs) => {
      const [batch, length] = inputs.ids.shape;
      const fused = model.fuse(inputs);
      const expected = tf.tidy(() => model.decoder.forward(fused).hidden);
      const cache = model.decoder.createCache(batch);
      const parts = [
        [0, 3],
        [3, 4],
        [4, length],
      ].map(([from, to]) => {
        const cut = Array.from({ length: batch }, (_, b) =>
          fused.positions.data.slice(b * length + from, b * length + to),
        );
        const embeddings = tf.slice(fused.embeddings, [0, from, 0], [batch, to - from, 16]);
        const data = Int32Array.from(cut.flatMap((row) => [...row]));
        const positions = { data, axes: 1 as const, shape: [batch, to - from] as const };
        const { start } = fused.rule;
        const part = { ...fused, embeddings, positions, rule: { causal: true, start } };
        const { hidden } = model.decoder.forward(part, { cache });
        embeddings.dispose();
        return hidden;
      });
      const joined = tf.concat(parts, 1);
      await assertTensorsClose(joined, expected, { tolerance: 1e-5 });
      tf.dispose([joined, expected, fused.embeddings, ...parts]);
      cache.dispose();
      fused.dispose?.();
    });
  });
});

describe('training', () => {
  const lossOf = (inputs: ModelInputs) => () =>
    tf.tidy(() => {
      const [batch, length] = inputs.ids.shape;
      const targets = Int32Array.from({ length: batch * length }, (_, i) => (i % 4 ? i % VOCAB : -100));
      const logits = tf.reshape(model.forward(inputs), [batch * length, VOCAB]);
      return crossEntropy(logits as tf.Tensor2D, targets);
    });

  it('gives fusion, projector and decoder the gradient of finite differences', async () => {
    await withInputs(mixed, async (inputs) => {
      const loss = lossOf(inputs);
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
      for (const path of [
        'projector.layers.0.weight',
        'fusion.layers.0.crossAttention.kProj.weight',
        'fusion.layers.1.crossAttention.qProj.weight',
        'fusion.layers.1.mlp.upProj.weight',
        'fusion.layers.0.attentionGate',
        'fusion.layers.1.mlpGate',
        'decoder.embedTokens.weight',
      ]) {
        const parameter = model.parameter(path);
        const { analytic, numeric } = await derivatives(parameter, grads[parameter.value.name], loss);
        expect(Math.abs(analytic - numeric), path).toBeLessThan(1e-3 * Math.max(0.1, Math.abs(numeric)));
      }
      value.dispose();
      tf.dispose(grads);
    });
  });

  it('opens closed gates: theirs is the only gradient of the fusion at first', async () => {
    setGates(0);
    await withInputs(mixed, async (inputs) => {
      const parameters = [...model.namedParameters()].filter(([path]) => path.startsWith('fusion.'));
      const { value, grads } = tf.variableGrads(
        lossOf(inputs),
        parameters.map(([, { value }]) => value),
      );
      for (const [path, parameter] of parameters) {
        const gradient = await grads[parameter.value.name].data();
        expect(
          gradient.some((element) => element !== 0),
          path,
        ).toBe(path.endsWith('Gate'));
      }
      value.dispose();
      tf.dispose(grads);
    });
  });

  it('computes the keys on every tape, also where a pass without one came before', async () => {
    await withInputs(mixed, async (inputs) => {
      const fused = model.fuse(inputs);
      const kProj = model.parameter('fusion.layers.0.crossAttention.kProj.weight').value;
      const loss = () => tf.tidy(() => tf.sum(model.decoder.forward(fused).hidden) as tf.Scalar);
      loss().dispose();
      for (let pass = 0; pass < 2; pass++) {
        const { value, grads } = tf.variableGrads(loss, [kProj]);
        const gradient = await grads[kProj.name].data();
        expect(gradient.some((element) => element !== 0)).toBe(true);
        value.dispose();
        tf.dispose(grads);
      }
      fused.embeddings.dispose();
      fused.dispose?.();
    });
  });
});
