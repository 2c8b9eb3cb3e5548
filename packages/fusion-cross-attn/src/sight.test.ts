import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import {
  ConfigError,
  composeModel,
  disposeImages,
  type FusionFactory,
  type ModelInputs,
  type MultimodalModel,
  PlaceholderCountError,
} from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { linear } from '@mmllm/projectors';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  PixelEncoder,
  paddedIds,
  randomPictures,
  VIEW_ROWS,
  type ViewText,
} from '../../fusion-unified/src/testing/fakes';
import { crossAttention, hybrid } from './index';

const IMAGE = 19;
const every = { every: 1, initializerRange: 0.4 };

beforeAll(() => startBackend({ backend: 'wasm' }));

/** A model whose gates are open. */
async function open(fusion: FusionFactory): Promise<MultimodalModel> {
  const decoder = llama({ vocabSize: 20, hiddenSize: 16, numLayers: 1, numHeads: 4, initializerRange: 0.4 });
  const model = await composeModel({ encoder: new PixelEncoder(), projector: linear(), fusion, decoder });
  for (const [path, parameter] of model.namedParameters()) {
    if (path.endsWith('Gate')) parameter.assign(Float32Array.of(0.7));
  }
  return model;
}

const inputsOf = (
  rows: readonly (readonly number[])[],
  pictures: readonly (readonly (readonly ViewText[])[])[],
): ModelInputs => ({
  ...paddedIds(rows, 'right'),
  imageTokenId: IMAGE,
  imagesPerSample: pictures.map(({ length }) => length),
  images: randomPictures(pictures.flat()),
});

/** What the layer makes of the first sample's tokens, one list each, with one number added to the pixels of a view. */
async function tokensWith(model: MultimodalModel, inputs: ModelInputs, view: number): Promise<string[]> {
  const { pixels } = inputs.images as ReturnType<typeof randomPictures>;
  const moved = tf.tidy(() => {
    const chosen = Float32Array.from({ length: pixels.shape[0] }, (_, i) => (i === view ? 1 : 0));
    return tf.add(pixels, tf.tensor4d(chosen, [chosen.length, 1, 1, 1])) as tf.Tensor4D;
  });
  const fused = model.fuse({ ...inputs, images: { ...inputs.images!, pixels: moved } as never });
  const [, length, size] = fused.embeddings.shape;
  const hidden = tf.ones(fused.embeddings.shape) as tf.Tensor3D;
  const result = fused.injections![0].apply(hidden, 0);
  const values = await result.data<'float32'>();
  tf.dispose([moved, hidden, result, fused.embeddings]);
  fused.dispose?.();
  return Array.from({ length }, (_, t) => values.slice(t * size, (t + 1) * size).join());
}

/** The first sample's tokens that see each view, by position: `'..xx'`. */
async function whoSees(fusion: FusionFactory, inputs: ModelInputs): Promise<string[]> {
  const model = await open(fusion);
  const { pixels } = inputs.images as ReturnType<typeof randomPictures>;
  let seen: string[] = [];
  await expectNoLeak(async () => {
    const plain = await tokensWith(model, inputs, -1);
    seen = [];
    for (let view = 0; view < pixels.shape[0]; view++) {
      const tokens = await tokensWith(model, inputs, view);
      seen.push(tokens.map((token, t) => (token === plain[t] ? '.' : 'x')).join(''));
    }
  });
  disposeImages(inputs.images!);
  model.dispose();
  return seen;
}

describe('which pictures a token sees', () => {
  const text = () => inputsOf([[1, IMAGE, 2, IMAGE, 3]], [[['image'], ['image']]]);

  it('are all whose marker stands at or before it', async () => {
    expect(await whoSees(crossAttention(every), text())).toEqual(['.xxxx', '...xx']);
  });

  it('or the latest', async () => {
    expect(await whoSees(crossAttention({ ...every, sees: 'latest' }), text())).toEqual(['.xx..', '...xx']);
  });

  it('with those whose markers stand right in front of its own', async () => {
    const three = inputsOf(
      [[IMAGE, 2, IMAGE, IMAGE, 3, IMAGE]],
      [[['image'], ['image'], ['image'], ['image']]],
    );
    expect(await whoSees(crossAttention({ ...every, sees: 'latest' }), three)).toEqual([
      ...['xx....', '..xxx.', '...xx.', '.....x'],
    ]);
  });

  it('is also what generated tokens go on with', async () => {
    const model = await open(crossAttention({ ...every, sees: 'latest' }));
    const inputs = text();
    const fused = model.fuse(inputs);
    const grown = inputsOf([[1, IMAGE, 2, IMAGE, 3, 4]], [[['image'], ['image']]]);
    const whole = model.fuse(grown);
    const hidden = tf.randomNormal<tf.Rank.R3>([1, 6, 16], 0, 1, 'float32', 3);
    const last = tf.slice(hidden, [0, 5, 0], [1, 1, 16]);
    const behind = fused.injections![0].apply(last, 5);
    const all = whole.injections![0].apply(hidden, 0);
    await assertTensorsClose(behind, tf.slice(all, [0, 5, 0], [1, 1, 16]), { tolerance: 1e-5 });
    disposeImages(inputs.images!);
    disposeImages(grown.images!);
    model.dispose();
  });
});

describe('a token that sees no picture', () => {
  const filled = () => inputsOf([[1, IMAGE, 2]], [[['tile', 'tile:filling']]]);

  it('stays as it is', async () => {
    expect(await whoSees(crossAttention(every), filled())).toEqual(['.xx', '...']);
  });

  it('or attends to all views of its sample, filling too', async () => {
    expect(await whoSees(crossAttention({ ...every, blind: 'attend' }), filled())).toEqual(['xxx', 'x..']);
  });
});

describe('tags', () => {
  const tags = {
    tiles: [
      { text: '<1>', ids: [11, 12] },
      { text: '<2>', ids: [11, 13] },
    ],
    thumbnail: { text: '<all>', ids: [14] },
  };
  const views: ViewText[] = ['tile', 'tile', 'tile:filling', 'thumbnail'];
  const tagged = [1, IMAGE, 11, 12, 11, 13, 14, 2];

  it('see their own view alone, all else all views', async () => {
    const fusion = crossAttention({ ...every, tags });
    expect(await whoSees(fusion, inputsOf([tagged], [[views]]))).toEqual([
      ...['.xxx...x', '.x..xx.x', '........', '.x....xx'],
    ]);
    expect(await whoSees(fusion, inputsOf([[1, IMAGE, 14]], [[['image']]]))).toEqual(['.xx']);
  });

  it('are asked for behind the marker, and before the thumbnail of the hybrid', async () => {
    const pieces = async (fusion: FusionFactory) => {
      const model = await open(fusion);
      const { images, pixels } = randomPictures([views]);
      const result = model.fusion!.placeholders(model.imageTokens(images)[0]);
      pixels.dispose();
      model.dispose();
      return result.map((piece) => (piece.kind === 'text' ? piece.text : piece.kind));
    };
    expect(await pieces(crossAttention({ ...every, tags }))).toEqual(['marker', '<1>', '<2>', '<all>']);
    expect(await pieces(hybrid({ ...every, tags }))).toEqual(['<all>', 'features']);
  });

  it('are refused where they do not stand, before any kernel runs', async () => {
    const model = await open(crossAttention({ ...every, tags }));
    const encoder = model.encoder as PixelEncoder;
    const refuse = (row: number[], pictures: ViewText[], error: unknown, message: string) => {
      const inputs = inputsOf([row], [[pictures]]);
      const before = tf.memory().numTensors;
      expect(() => model.fuse(inputs)).toThrow(error as never);
      expect(() => model.fuse(inputs)).toThrow(message);
      expect(tf.memory().numTensors).toBe(before);
      disposeImages(inputs.images!);
    };
    const missing =
      "fusion 'cross-attention': expected the tag '<2>' (ids 11, 13) at position 4 of sample 0, got ids 14";
    refuse([1, IMAGE, 11, 12, 14], views, PlaceholderCountError, missing);
    const many: ViewText[] = ['tile', 'tile', 'tile', 'thumbnail'];
    refuse(tagged, many, ConfigError, 'pictures of at most 2 tiles, one for each tag, got 3 tiles');
    expect(encoder.runs).toBe(0);
    model.dispose();
  });

  it('of the hybrid are part of what is seen of a tile', async () => {
    const model = await open(hybrid({ ...every, tags }));
    const inputs = inputsOf([[1, ...new Array<number>(VIEW_ROWS).fill(IMAGE), 2]], [[views]]);
    const before = await tokensWith(model, inputs, -1);
    const table = model.parameter('decoder.embedTokens.weight');
    const changed = async (id: number) => {
      const values = await table.read();
      const kept = values.slice();
      values.fill(1, id * 16, (id + 1) * 16);
      table.assign(values);
      const tokens = await tokensWith(model, inputs, -1);
      table.assign(kept);
      return tokens.map((token, t) => (token === before[t] ? '.' : 'x')).join('');
    };
    expect(await changed(13)).toBe('.xxxxx');
    // The thumbnail's tag is text.
    expect(await changed(14)).toBe('......');
    disposeImages(inputs.images!);
    model.dispose();
  });
});

describe('the hybrid', () => {
  const picture = new Array<number>(VIEW_ROWS).fill(IMAGE);

  it('shows the tiles from where a picture is opened', async () => {
    const fusion = hybrid({ ...every, opening: [7, 8] });
    const text = () => inputsOf([[1, 7, 8, 2, ...picture, 3]], [[['tile', 'thumbnail']]]);
    expect(await whoSees(fusion, text())).toEqual(['.xxxxxxxx', '.........']);
    const model = await open(fusion);
    const inputs = inputsOf([[1, 8, 7, 2, ...picture, 3]], [[['tile', 'thumbnail']]]);
    expect(() => model.fuse(inputs)).toThrow(PlaceholderCountError);
    expect(() => model.fuse(inputs)).toThrow(
      'expected the opening (ids 7, 8) of the picture at position 4 of sample 0, got none before it',
    );
    disposeImages(inputs.images!);
    model.dispose();
  });

  it('shows a picture of one view in both ways, or in the sequence alone', async () => {
    const text = () => inputsOf([[1, ...picture, 2, ...picture, 3]], [[['image'], ['tile', 'thumbnail']]]);
    expect(await whoSees(hybrid(every), text())).toEqual(['.xxxxxxxxxx', '......xxxxx', '...........']);
    expect(await whoSees(hybrid({ ...every, single: 'sequence' }), text())).toEqual([
      ...['...........', '......xxxxx', '...........'],
    ]);
  });
});
