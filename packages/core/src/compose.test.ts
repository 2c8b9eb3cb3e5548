import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { composeModel, type VisionLanguageParts } from './compose';
import type {
  Decoder,
  FusionFactory,
  ImageEncoder,
  ModelInputs,
  ProcessorFactory,
  ProjectorFactory,
} from './contracts';
import { ConfigError, ContextLengthError, ShapeError, UnsupportedVersionError } from './errors';
import { normal } from './initializers';
import { Module } from './module';
import { Parameter } from './parameter';

/** The smallest parts that keep the contracts. */
class FakeEncoder extends Module implements ImageEncoder {
  readonly specVersion = 'image-encoder/v1';
  readonly name = 'fake';
  readonly featureSize = 6;
  readonly weight = new Parameter([3, 6], { initializer: normal(1) });
  readonly preprocessing: ImageEncoder['preprocessing'] = {
    kind: 'fixed',
    size: { height: 2, width: 2 },
    fit: 'stretch',
    resample: 'bilinear',
    rescale: 1,
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
  layout(images: Parameters<ImageEncoder['layout']>[0]) {
    return images.map((_, i) => ({ views: [{ role: 'image' as const, start: 4 * i, count: 4, prefix: 0 }] }));
  }
  encode(batch: Parameters<ImageEncoder['encode']>[0]) {
    if (batch.kind !== 'dense') throw new Error('dense only');
    const features = tf.matMul(tf.reshape(batch.pixels, [-1, 3]), this.weight.value);
    return { features: features as tf.Tensor2D, images: this.layout(batch.images) };
  }
}

const linear: ProjectorFactory = {
  specVersion: 'projector/v1',
  name: 'linear',
  build: ({ inputSize, outputSize }) =>
    new (class extends Module {
      readonly specVersion = 'projector/v1';
      readonly name = 'linear';
      readonly inputSize = inputSize;
      readonly outputSize = outputSize;
      readonly weight = new Parameter([inputSize, outputSize], { initializer: normal(1) });
      layout = (images: ReturnType<FakeEncoder['layout']>) => images;
      project(input: ReturnType<FakeEncoder['encode']>) {
        return { ...input, features: tf.matMul(input.features, this.weight.value) as tf.Tensor2D };
      }
    })(),
};

/** Adds the mean feature of all pictures to every token. */
const adding: FusionFactory = {
  specVersion: 'fusion/v1',
  name: 'adding',
  build: () =>
    new (class extends Module {
      readonly specVersion = 'fusion/v1';
      readonly name = 'adding';
      placeholders = () => [{ kind: 'marker' as const }];
      fuse({ ids, embed, encode }: Parameters<ReturnType<FusionFactory['build']>['fuse']>[0]) {
        const embeddings = tf.tidy(() => tf.add(embed(ids), tf.mean(encode().features, 0)) as tf.Tensor3D);
        const positions = { data: new Int32Array(ids.data.length), axes: 1 as const, shape: ids.shape };
        return { embeddings, positions, rule: { causal: true } };
      }
    })(),
};

class FakeDecoder extends Module implements Decoder {
  readonly specVersion = 'decoder/v1';
  readonly name = 'fake';
  readonly vocabSize = 5;
  readonly numLayers = 0;
  readonly maxLength = 8;
  readonly positionAxes = 1;
  readonly table: Parameter;
  constructor(readonly hiddenSize = 4) {
    super();
    this.table = new Parameter([5, hiddenSize], { initializer: normal(1) });
  }
  embed({ data, shape }: Parameters<Decoder['embed']>[0]) {
    return tf.tidy(() => {
      const rows = tf.gather(this.table.value, tf.tensor1d(data, 'int32'));
      return tf.reshape(rows, [...shape, this.hiddenSize]) as tf.Tensor3D;
    });
  }
  forward(inputs: Parameters<Decoder['forward']>[0]) {
    return { hidden: 'ids' in inputs ? this.embed(inputs.ids) : tf.clone(inputs.embeddings) };
  }
  createMemory(): never {
    throw new Error('not asked for');
  }
  async score(): Promise<never> {
    throw new Error('not asked for');
  }
  logits(hidden: tf.Tensor) {
    return tf.tidy(() => {
      const rows = tf.matMul(tf.reshape(hidden, [-1, this.hiddenSize]), this.table.value, false, true);
      return tf.reshape(rows, [...hidden.shape.slice(0, -1), this.vocabSize]);
    });
  }
  createCache(): never {
    throw new Error('no cache');
  }
  generate(): never {
    throw new Error('no generation');
  }
}

const parts = (): VisionLanguageParts => ({
  encoder: new FakeEncoder(),
  projector: linear,
  fusion: adding,
  decoder: new FakeDecoder(),
});

function inputs(): ModelInputs {
  return {
    ids: { data: Int32Array.of(0, 1, 2), shape: [1, 3] },
    imageTokenId: 4,
    imagesPerSample: [1],
    images: {
      kind: 'dense',
      pixels: tf.ones([1, 2, 2, 3]),
      images: [{ views: [{ role: 'image', height: 2, width: 2 }], original: { height: 2, width: 2 } }],
    },
  };
}

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('composeModel', () => {
  it('infers sizes, names every parameter and gives weights', async () => {
    const model = await composeModel(parts());
    const paths = [...model.namedParameters()].map(([path, parameter]) => [
      path,
      parameter.shape,
      parameter.path,
    ]);
    expect(paths).toEqual([
      ['encoder.weight', [3, 6], 'encoder.weight'],
      ['projector.weight', [6, 4], 'projector.weight'],
      ['decoder.table', [5, 4], 'decoder.table'],
    ]);
    expect([...model.namedParameters()].every(([, parameter]) => parameter.ready)).toBe(true);
    model.dispose();
  });

  it('runs, and leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const model = await composeModel(parts());
    const batch = inputs();
    const logits = model.forward(batch);
    expect(logits.shape).toEqual([1, 3, 5]);
    expect((await logits.data()).every(Number.isFinite)).toBe(true);
    logits.dispose();
    if (batch.images?.kind === 'dense') batch.images.pixels.dispose();
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('takes no memory when shape-only, and describes itself', async () => {
    const before = tf.memory().numTensors;
    const model = await composeModel(parts(), { shapeOnly: true });
    expect(tf.memory().numTensors).toBe(before);
    expect(model.describe()).toMatchInlineSnapshot(`
      "component  part    parameters
      ─────────  ──────  ──────────
      encoder    fake            18
      projector  linear          24
      fusion     adding           0
      decoder    fake            20
      total                      62
      a 2×2 picture: 4 features, 1 tokens in the sequence"
    `);
  });

  it('composes a text model from a decoder alone, which refuses pictures', async () => {
    const model = await composeModel({ decoder: new FakeDecoder() });
    const { images, ...text } = inputs();
    const logits = model.forward(text);
    expect(logits.shape).toEqual([1, 3, 5]);
    expect(() => model.forward({ ...text, images })).toThrow(ShapeError);
    expect(() => model.processor).toThrow(ConfigError);
  });

  it('refuses an unknown contract version, naming the accepted ones', async () => {
    const future = Object.assign(new FakeDecoder(), { specVersion: 'decoder/v9' });
    const composing = composeModel({ decoder: future as unknown as Decoder });
    await expect(composing).rejects.toThrow(UnsupportedVersionError);
    await expect(composing).rejects.toThrow(
      "decoder 'fake': expected specVersion decoder/v1, got decoder/v9",
    );
  });

  it('refuses a projector of the wrong width before any memory is taken', async () => {
    const before = tf.memory().numTensors;
    const wrong: ProjectorFactory = {
      ...linear,
      build: (sizes) => linear.build({ ...sizes, outputSize: 3 }),
    };
    await expect(composeModel({ ...parts(), projector: wrong })).rejects.toThrow(
      "projector 'linear': expected 6 (the encoder's width) to 4 (the decoder's), got 6 to 3.",
    );
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses pictures that fill the context of the decoder', async () => {
    const long: FusionFactory = {
      ...adding,
      build: (context) =>
        Object.assign(adding.build(context), {
          placeholders: () => [{ kind: 'features', count: 8 }] as const,
        }),
    };
    await expect(composeModel({ ...parts(), fusion: long })).rejects.toThrow(ContextLengthError);
  });

  it('refuses a tokenizer with more tokens than the decoder', async () => {
    const processor = (vocabSize: number) =>
      ({
        specVersion: 'processor/v1',
        build: () => ({ tokenizer: { vocabSize } }),
      }) as unknown as ProcessorFactory;
    await expect(composeModel({ ...parts(), processor: processor(9) })).rejects.toThrow(
      "decoder 'fake': expected a vocabulary of at least 9 tokens, the tokenizer's, got 5.",
    );
    await composeModel({ ...parts(), processor: processor(5) }, { shapeOnly: true });
  });

  it('lets the types catch a misfit', () => {
    expectTypeOf<ProjectorFactory>().not.toExtend<FusionFactory>();
    expectTypeOf(composeModel).parameter(0).toExtend<{ decoder: Decoder }>();
    // @ts-expect-error an encoder needs a projector and a fusion
    void (() => composeModel({ encoder: new FakeEncoder(), decoder: new FakeDecoder() }));
    // @ts-expect-error a decoder is no encoder
    void (() => composeModel({ ...parts(), encoder: new FakeDecoder() }));
    // @ts-expect-error a fusion is no projector
    void (() => composeModel({ ...parts(), projector: adding }));
  });
});
