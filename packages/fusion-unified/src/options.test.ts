import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import {
  ConfigError,
  composeModel,
  disposeImages,
  type ModelInputs,
  type MultimodalModel,
} from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { linear } from '@mmllm/projectors';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Arrangement, type UnifiedOptions, unified } from './index';
import { PixelEncoder, randomPictures, VIEW_ROWS } from './testing/fakes';

beforeAll(() => startBackend({ backend: 'wasm' }));

const IMAGE = 7;
const decoder = () =>
  llama({ vocabSize: 20, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 16 });

const compose = (options: UnifiedOptions): Promise<MultimodalModel> =>
  composeModel({
    encoder: new PixelEncoder(),
    projector: linear(),
    fusion: unified(options),
    decoder: decoder(),
  });

/** One picture in a text, with room for so many image tokens. */
const inputs = (tokens: number): ModelInputs => ({
  ids: { data: Int32Array.of(3, ...new Array(tokens).fill(IMAGE), 4), shape: [1, tokens + 2] },
  imageTokenId: IMAGE,
  imagesPerSample: [1],
  images: randomPictures([['image']]),
});

async function withModel(
  options: UnifiedOptions,
  tokens: number,
  use: (model: MultimodalModel, given: ModelInputs) => Promise<void>,
) {
  await expectNoLeak(async () => {
    const [model, given] = [await compose(options), inputs(tokens)];
    await use(model, given);
    disposeImages(given.images!);
    model.dispose();
  });
}

/** The newline, then the rows of the picture backwards. */
const backwards: Arrangement = {
  newline: true,
  pieces: ({ views: [view] }) => [
    { kind: 'newline' },
    { kind: 'rows', rows: Array.from({ length: view!.count }, (_, i) => view!.start + view!.count - 1 - i) },
  ],
};

describe('unified', () => {
  it('adds features to the embeddings of their tokens, if asked', async () => {
    await withModel({ join: 'add' }, VIEW_ROWS, async (model, given) => {
      const [fused, { features }] = [model.fuse(given), model.encodeImages(given.images!)];
      const expected = tf.tidy(() =>
        tf.add(
          model.decoder.embed(given.ids),
          tf.expandDims(
            tf.pad(features, [
              [1, 1],
              [0, 0],
            ]),
            0,
          ),
        ),
      );
      await assertTensorsClose(fused.embeddings, expected, { tolerance: 0 });
      fused.dispose?.();
      tf.dispose([fused.embeddings, features, expected]);
    });
  });

  it('takes rows in the order of an arrangement, with its newline, which learns', async () => {
    await withModel({ arrangement: backwards }, VIEW_ROWS + 1, async (model, given) => {
      const newline = model.parameter('fusion.newline');
      expect(newline.shape).toEqual([16]);
      const [fused, { features }] = [model.fuse(given), model.encodeImages(given.images!)];
      const middle = tf.tidy(() => tf.slice(fused.embeddings, [0, 1, 0], [1, VIEW_ROWS + 1, 16]));
      const expected = tf.tidy(() =>
        tf.expandDims(tf.concat([tf.reshape(newline.value, [1, 16]), tf.reverse(features, 0)]), 0),
      );
      await assertTensorsClose(middle, expected, { tolerance: 0 });
      const { value, grads } = tf.variableGrads(
        () => tf.tidy(() => tf.sum(tf.mul(model.fuse(given).embeddings, 3)) as tf.Scalar),
        [newline.value],
      );
      expect([...(await grads[newline.value.name]!.data())]).toEqual(new Array(16).fill(3));
      fused.dispose?.();
      tf.dispose([fused.embeddings, features, middle, expected, value, grads]);
    });
  });

  it('counts positions from where it is told', async () => {
    await withModel({ firstPosition: 1 }, VIEW_ROWS, async (model, given) => {
      const { embeddings, positions, dispose } = model.fuse(given);
      expect([...positions.data]).toEqual([1, 2, 3, 4, 5, 6]);
      embeddings.dispose();
      dispose?.();
    });
  });

  it('refuses positions that the decoder does not have, and options that it does not know', async () => {
    await expect(compose({ positions: 'grid' })).rejects.toThrow(
      "unified.positions: expected sequential, since decoder 'llama' has positions of one axis, got grid.",
    );
    expect(() => unified({ join: 'multiply' } as never)).toThrow(ConfigError);
    expect(() => unified({ arrangement: {} } as never)).toThrow(ConfigError);
  });
});
