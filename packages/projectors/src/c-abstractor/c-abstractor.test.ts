import { startBackend } from '@mmllm/backends';
import { assertTensorsClose } from '@mmllm/conformance';
import { ConfigError } from '@mmllm/core';
import { layerNorm } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { picture, pictures, randomRows, withValues } from '../testing/tiny';
import { type CAbstractorConfig, cAbstractor } from '.';

beforeAll(() => startBackend({ backend: 'wasm' }));

const sizes = { inputSize: 6, outputSize: 5 };
const tiny = (config: CAbstractorConfig) =>
  withValues(cAbstractor({ numQueryTokens: 4, hiddenSize: 8, depth: 1, ...config }).build(sizes));

/** Parameters of a block: convolutions, norms, squeeze and excitation, and the shortcut where there is one. */
const blockSize = (from: number, to: number) => {
  const squeezed = Math.round(from / 4);
  const shortcut = from === to ? 0 : from * to + 2 * to;
  return from * to + 9 * to + to * to + 3 * 2 * to + 2 * to * squeezed + squeezed + to + shortcut;
};

describe('cAbstractor', () => {
  it('has the size of Honeybee’s, with and without a change of width', () => {
    const count = (inputSize: number) =>
      cAbstractor({ numInputTokens: 577 }).build({ inputSize, outputSize: 4096 }).countParameters();
    const readout = 1024 * 4096 + 4096 + 4096 * 4096 + 4096;
    expect(count(1024)).toBe(577 * 1024 + 6 * blockSize(1024, 1024) + readout);
    expect(count(1280)).toBe(577 * 1280 + blockSize(1280, 1024) + 5 * blockSize(1024, 1024) + readout);
  });

  it('squeezes to a quarter, halves to the even number', () => {
    const squeezed = (inputSize: number) =>
      cAbstractor({ hiddenSize: 8, depth: 1 })
        .build({ inputSize, outputSize: 4 })
        .parameter('before.0.se.fc1.bias').size;
    expect([6, 7, 10, 14, 18].map(squeezed)).toEqual([2, 2, 2, 4, 4]);
  });

  it('norms first if asked to', async () => {
    const [normed, plain] = [tiny({ prenorm: true }), tiny({})];
    const features = randomRows(9);
    const images = pictures([3, 3]);
    const [gain, bias] = ['prenorm.weight', 'prenorm.bias'].map((path) => normed.parameter(path).value);
    const before = layerNorm(features, gain, bias, 1e-5);
    const [a, b] = [
      normed.project({ features, images }).features,
      plain.project({ features: before, images }).features,
    ];
    await assertTensorsClose(a, b, { tolerance: 1e-5 });
    tf.dispose([features, before, a, b]);
    normed.dispose();
    plain.dispose();
  });

  it('adds positions to all tokens, those in front too, before these are left out', async () => {
    const [placed, plain] = [tiny({ numInputTokens: 5 }), tiny({})];
    const features = randomRows(5);
    const moved = tf.tidy(() => {
      const sum = tf.add(features, placed.parameter('positionEmbedding').value);
      return tf.slice(sum, [1, 0], [4, -1]) as tf.Tensor2D;
    });
    const a = placed.project({ features, images: [picture([[2, 2]], { prefix: 1 })] });
    const b = plain.project({ features: moved, images: pictures([2, 2]) });
    await assertTensorsClose(a.features, b.features, { tolerance: 1e-5 });
    expect(() => placed.layout(pictures([2, 2]))).toThrow(
      expect.objectContaining({
        name: 'ShapeError',
        component: "projector 'c-abstractor'",
        expected: 'views of 5 tokens, as many as there are positions',
        actual: 'one of 4',
      }),
    );
    tf.dispose([features, moved, a.features, b.features]);
    placed.dispose();
    plain.dispose();
  });

  it('sets the learned tokens behind those of every view', async () => {
    const projector = tiny({ numEosTokens: 2 });
    const features = randomRows(13);
    const projected = projector.project({ features, images: pictures([3, 3], [2, 2]) });
    expect(projected.images.map(({ views: [{ start, count, grid }] }) => [start, count, grid])).toEqual([
      [0, 6, undefined],
      [6, 6, undefined],
    ]);
    for (const start of [4, 10]) {
      const tokens = tf.slice2d(projected.features, [start, 0], [2, -1]);
      await assertTensorsClose(tokens, projector.parameter('eosTokens').value, { tolerance: 0 });
      tokens.dispose();
    }
    tf.dispose([features, projected.features]);
    projector.dispose();
  });

  it('without blocks pools alone, and needs no hidden width', async () => {
    const projector = tiny({ depth: 0, mlpDepth: 1, numQueryTokens: 1 });
    expect([...projector.namedParameters()].map(([path]) => path)).toEqual([
      'readout.0.weight',
      'readout.0.bias',
    ]);
    const features = randomRows(6);
    const { features: read } = projector.project({ features, images: pictures([2, 3]) });
    const expected = tf.tidy(() => {
      const mean = tf.mean<tf.Tensor2D>(features, 0, true);
      const weight = projector.parameter('readout.0.weight').value as tf.Tensor2D;
      return tf.add(tf.matMul(mean, weight), projector.parameter('readout.0.bias').value);
    });
    await assertTensorsClose(read, expected, { tolerance: 1e-5 });
    tf.dispose([features, read, expected]);
    projector.dispose();
  });

  it('reads its configuration, alone or within a model', () => {
    const json = {
      model_type: 'c_abstractor',
      encoder_hidden_size: 24,
      hidden_size: 32,
      output_hidden_size: 40,
      num_input_tokens: 49,
      num_query_tokens: 16,
      depth: 3,
      mlp_depth: 2,
      pos_emb: true,
      prenorm: true,
      num_eos_tokens: 1,
    };
    const read = cAbstractor.checkpoint.config(json);
    expect(read).toEqual({
      numQueryTokens: 16,
      hiddenSize: 32,
      depth: 3,
      mlpDepth: 2,
      numInputTokens: 49,
      prenorm: true,
      numEosTokens: 1,
    });
    expect(cAbstractor.checkpoint.config({ projector_config: json })).toEqual(read);
    expect(cAbstractor.checkpoint.config({ ...json, pos_emb: false })).toEqual({
      ...read,
      numInputTokens: undefined,
    });
    for (const wrong of [
      { model_type: 'd_abstractor' },
      { num_query_tokens: 15 },
      { num_input_tokens: null },
      { depth: -1 },
      { pos_emb: undefined },
    ]) {
      expect(() => cAbstractor.checkpoint.config({ ...json, ...wrong })).toThrow(ConfigError);
    }
  });
});
