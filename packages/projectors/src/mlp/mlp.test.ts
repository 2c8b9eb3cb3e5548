import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, type ImageTokens, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { linear, mlp } from '../index';

const images: ImageTokens[] = [
  {
    views: [{ role: 'image', start: 0, count: 3, prefix: 1, grid: { frames: 1, rows: 1, columns: 2 } }],
  },
];

beforeAll(() => startBackend({ backend: 'cpu' }));

describe('mlp', () => {
  it('takes its sizes from its neighbours', () => {
    const projector = mlp().build({ inputSize: 5, outputSize: 7 });
    expect([...projector.namedParameters()].map(([path, { shape }]) => [path, shape])).toEqual([
      ['layers.0.weight', [5, 7]],
      ['layers.0.bias', [7]],
      ['layers.1.weight', [7, 7]],
      ['layers.1.bias', [7]],
    ]);
    expect(projector).toMatchObject({ name: 'mlp', inputSize: 5, outputSize: 7 });
  });

  it('has the sizes of LLaVA-1.5 7B and 13B', () => {
    const count = (outputSize: number) => mlp().build({ inputSize: 1024, outputSize }).countParameters();
    expect(count(4096)).toBe(20_979_712);
    expect(count(5120)).toBe(31_467_520);
  });

  it('takes width and number of layers, and no biases', () => {
    const projector = mlp({ numLayers: 3, hiddenSize: 4, bias: false }).build({
      inputSize: 5,
      outputSize: 7,
    });
    expect([...projector.namedParameters()].map(([path, { shape }]) => [path, shape])).toEqual([
      ['layers.0.weight', [5, 4]],
      ['layers.1.weight', [4, 4]],
      ['layers.2.weight', [4, 7]],
    ]);
  });

  it('computes layers with the activation only between them', async () => {
    const projector = mlp({ activation: 'relu', hiddenSize: 2 }).build({ inputSize: 2, outputSize: 1 });
    projector.parameter('layers.0.weight').assign(Float32Array.of(1, -1, 2, 1));
    projector.parameter('layers.0.bias').assign(Float32Array.of(0.5, 0));
    projector.parameter('layers.1.weight').assign(Float32Array.of(-1, 3));
    projector.parameter('layers.1.bias').assign(Float32Array.of(0.25));
    const features = tf.tensor2d([1, 2, 3, -4], [2, 2]);
    const projected = projector.project({ features, images });
    // [1, 2]: relu(5.5, 1) → −5.5 + 3 + 0.25; [3, −4]: relu(−4.5, −7) → 0.25
    await assertTensorsClose(projected.features, { shape: [2, 1], data: [-2.25, 0.25] }, { tolerance: 1e-6 });
    tf.dispose([features, projected.features]);
    projector.dispose();
  });

  it('leaves tokens, grids and mask as they are, and no tensors behind', async () => {
    await expectNoLeak(() => {
      const projector = mlp().build({ inputSize: 4, outputSize: 6 });
      projector.initialize({ seed: 1 });
      const features = tf.ones<tf.Rank.R2>([3, 4]);
      const mask = Uint8Array.of(1, 1, 0);
      const projected = projector.project({ features, images, mask });
      expect(projected.features.shape).toEqual([3, 6]);
      expect(projected).toMatchObject({ images, mask });
      expect(projector.layout(images)).toEqual(images);
      tf.dispose([features, projected.features]);
      projector.dispose();
    });
  });

  it('refuses features of another width', () => {
    const projector = mlp().build({ inputSize: 4, outputSize: 6 });
    projector.initialize();
    const features = tf.ones<tf.Rank.R2>([3, 5]);
    expect(() => projector.project({ features, images })).toThrow(ShapeError);
    features.dispose();
    projector.dispose();
  });

  it.each([
    [{ numLayers: 0 }, 'mlp projector.numLayers'],
    [{ activation: 'gelu2' }, 'mlp projector.activation'],
    [{ layers: 2 }, 'mlp projector'],
  ])('refuses %j', (config, component) => {
    const build = () => mlp(config as Parameters<typeof mlp>[0]);
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(expect.objectContaining({ component }));
  });
});

describe('linear', () => {
  it('is one layer, the size of PaliGemma’s', () => {
    const projector = linear().build({ inputSize: 1152, outputSize: 2048 });
    expect(projector.countParameters()).toBe(2_361_344);
    expect(projector.name).toBe('linear');
    const paths = (config: { bias?: boolean }) =>
      [...linear(config).build({ inputSize: 2, outputSize: 3 }).namedParameters()].map(([path]) => path);
    expect(paths({})).toEqual(['layers.0.weight', 'layers.0.bias']);
    expect(paths({ bias: false })).toEqual(['layers.0.weight']);
  });

  it('refuses unknown keys', () => {
    expect(() => linear({ biases: false } as Parameters<typeof linear>[0])).toThrow(ConfigError);
  });
});

describe('checkpoint', () => {
  it('reads what LLaVA says of its projector', () => {
    const { config, names } = mlp.checkpoint;
    expect(config({})).toEqual({ activation: 'gelu', bias: true });
    expect(
      config({ projector_hidden_act: 'gelu_pytorch_tanh', multimodal_projector_bias: false }),
    ).toMatchObject({ activation: 'gelu_tanh', bias: false });
    expect(() => config({ projector_hidden_act: 'mish' })).toThrow(ConfigError);
    expect(names({}, '').rules.map(({ theirs }) => theirs)).toEqual([
      'linear_1.weight',
      'linear_1.bias',
      'linear_2.weight',
      'linear_2.bias',
    ]);
  });

  it('has PaliGemma’s name for its only layer', () => {
    expect(linear.checkpoint.config({})).toEqual({ bias: true });
    expect(linear.checkpoint.names({}).rules[0]).toEqual({
      ours: 'layers.0.weight',
      theirs: 'multi_modal_projector.linear.weight',
      alternatives: ['model.multi_modal_projector.linear.weight'],
      layout: 'linear',
    });
  });
});
