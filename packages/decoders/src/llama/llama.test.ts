import { startBackend } from '@mmllm/backends';
import { loadWeights, saveWeights, toTheirs } from '@mmllm/checkpoints';
import { assertTensorsClose, checkGradients, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, WeightError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { textInputs } from '../testing/inputs';
import { tinyLlama } from '../testing/tiny';
import { type LlamaConfig, llama } from './index';

const tiny: LlamaConfig = { vocabSize: 10, hiddenSize: 8, numLayers: 1, numHeads: 2 };

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
});

describe('llama', () => {
  it('is born without memory and counts full-size models exactly', async () => {
    await expectNoLeak(() => {
      const llama2 = llama({
        vocabSize: 32_000,
        hiddenSize: 4096,
        numLayers: 32,
        numHeads: 32,
        maxLength: 4096,
      });
      expect(llama2.countParameters()).toBe(6_738_415_616);
      const smol = llama({
        vocabSize: 49_152,
        hiddenSize: 576,
        numLayers: 30,
        numHeads: 9,
        numKeyValueHeads: 3,
        intermediateSize: 1536,
        tieWordEmbeddings: true,
      });
      expect(smol.countParameters()).toBe(134_515_008);
    });
  });

  it('names its parameters', () => {
    const paths = [...llama({ ...tiny, attentionBias: true, mlpBias: true }).namedParameters()];
    expect(paths.map(([path]) => path)).toMatchInlineSnapshot(`
      [
        "embedTokens.weight",
        "layers.0.attentionNorm.weight",
        "layers.0.selfAttention.qProj.weight",
        "layers.0.selfAttention.qProj.bias",
        "layers.0.selfAttention.kProj.weight",
        "layers.0.selfAttention.kProj.bias",
        "layers.0.selfAttention.vProj.weight",
        "layers.0.selfAttention.vProj.bias",
        "layers.0.selfAttention.outProj.weight",
        "layers.0.selfAttention.outProj.bias",
        "layers.0.mlpNorm.weight",
        "layers.0.mlp.gateProj.weight",
        "layers.0.mlp.gateProj.bias",
        "layers.0.mlp.upProj.weight",
        "layers.0.mlp.upProj.bias",
        "layers.0.mlp.downProj.weight",
        "layers.0.mlp.downProj.bias",
        "norm.weight",
        "head.weight",
      ]
    `);
  });

  it.each([
    [{ ...tiny, numHeads: 3 }, 'an even head size'],
    [{ ...tiny, headSize: 5 }, 'an even head size'],
    [{ ...tiny, numKeyValueHeads: 4 }, 'numHeads divisible by numKeyValueHeads'],
    [{ ...tiny, vocabSize: 0 }, 'llama.vocabSize'],
    [{ ...tiny, ropeTheta: -1 }, 'llama.ropeTheta'],
    [{ ...tiny, hiddensize: 3 }, 'unknown key hiddensize'],
  ])('refuses %o', (config, text) => {
    expect(() => llama(config)).toThrow(ConfigError);
    expect(() => llama(config)).toThrow(text);
  });

  it('shares one table between embedding and head when they are tied, with both gradients', async () => {
    const decoder = tinyLlama({ tieWordEmbeddings: true, numLayers: 1 });
    const table = decoder.parameter('embedTokens.weight');
    expect([...decoder.namedParameters()].some(([path]) => path.startsWith('head'))).toBe(false);
    const hidden = tf.randomNormal([2, 3, 16], 0, 1, 'float32', 3);
    await expectNoLeak(async () => {
      const [logits, expected] = tf.tidy(() => {
        const rows = tf.matMul(tf.reshape(hidden, [6, 16]), table.value, false, true);
        return [decoder.logits(hidden), tf.reshape(rows, [2, 3, 40])];
      });
      await assertTensorsClose(logits, expected, { tolerance: 1e-5 });
      tf.dispose([logits, expected]);
    });
    hidden.dispose();

    const loss = () =>
      tf.tidy(() => {
        const logits = decoder.logits(decoder.forward(textInputs(decoder, [[1, 2, 3]])).hidden);
        return tf.mean(tf.square(logits)) as tf.Scalar;
      });
    const values = await table.read();
    const direction = Float32Array.from(values, (_, i) => Math.cos(i));
    const lossAt = async (step: number) => {
      table.assign(values.map((value, i) => value + step * direction[i]));
      const moved = loss();
      const [number] = await moved.data();
      moved.dispose();
      return number;
    };
    const numeric = ((await lossAt(2e-3)) - (await lossAt(-2e-3))) / 4e-3;
    table.assign(values);
    const { value, grads } = tf.variableGrads(loss, [table.value]);
    const gradient = await grads[table.value.name].data();
    const analytic = direction.reduce((sum, factor, i) => sum + factor * gradient[i], 0);
    expect(analytic / numeric).toBeCloseTo(1, 2);
    value.dispose();
    tf.dispose(grads);
    decoder.dispose();
  });

  it('passes gradients to the embeddings it is given', async () => {
    const decoder = tinyLlama({ numLayers: 1 });
    const inputs = textInputs(decoder, [
      [1, 2, 3],
      [4, 5],
    ]);
    await checkGradients(
      (embeddings: tf.Tensor3D) => decoder.forward({ ...inputs, embeddings }).hidden,
      [inputs.embeddings],
      { tolerance: 5e-3 },
    );
    inputs.embeddings.dispose();
    decoder.dispose();
  });
});

describe('llama.checkpoint.config', () => {
  it('reads every key', () => {
    const config = llama.checkpoint.config({
      model_type: 'llama',
      vocab_size: 49_152,
      hidden_size: 576,
      num_hidden_layers: 30,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      head_dim: 64,
      intermediate_size: 1536,
      rope_parameters: { rope_type: 'default', rope_theta: 100_000 },
      rms_norm_eps: 1e-5,
      max_position_embeddings: 8192,
      tie_word_embeddings: true,
      attention_bias: true,
      mlp_bias: true,
      initializer_range: 0.04,
      hidden_act: 'silu',
    });
    expect(config).toEqual({
      vocabSize: 49_152,
      hiddenSize: 576,
      numLayers: 30,
      numHeads: 9,
      numKeyValueHeads: 3,
      headSize: 64,
      intermediateSize: 1536,
      ropeTheta: 100_000,
      rmsNormEps: 1e-5,
      activation: 'silu',
      maxLength: 8192,
      tieWordEmbeddings: true,
      attentionBias: true,
      mlpBias: true,
      initializerRange: 0.04,
    });
  });

  it("takes transformers' values for what is absent, and the older spelling of the rotation", () => {
    const config = llama.checkpoint.config({ rope_theta: 50_000, rope_scaling: null, head_dim: null });
    expect(llama(config).countParameters()).toBe(6_738_415_616);
    expect(config.ropeTheta).toBe(50_000);
  });

  it('reads how the rotation is stretched, in both spellings', () => {
    const linear = llama.checkpoint.config({ rope_scaling: { type: 'linear', factor: 2 } });
    expect(linear.ropeScaling).toEqual({ type: 'linear', factor: 2 });
    const { ropeScaling, ropeTheta } = llama.checkpoint.config({
      rope_parameters: {
        rope_type: 'llama3',
        rope_theta: 500_000,
        factor: 8,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 8192,
      },
    });
    expect(ropeTheta).toBe(500_000);
    expect(ropeScaling).toEqual({
      type: 'llama3',
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositions: 8192,
    });
  });

  it('has rows of the embedding that are never predicted', () => {
    const extra = llama({ ...tiny, tieWordEmbeddings: false, numExtraEmbeddings: 3 });
    const plain = llama({ ...tiny, tieWordEmbeddings: false });
    expect(extra.countParameters() - plain.countParameters()).toBe(3 * tiny.hiddenSize);
    expect(() => llama({ ...tiny, tieWordEmbeddings: true, numExtraEmbeddings: 3 })).toThrow(ConfigError);
  });

  it.each([
    [{ rope_parameters: { rope_type: 'llama3', rope_theta: 1 } }, 'rope_parameters.factor', 'nothing'],
    [{ rope_scaling: { type: 'yarn', factor: 4 } }, 'rope_scaling.type', 'yarn'],
    [{ hidden_act: 'gelu_42' }, 'hidden_act', 'gelu_42'],
    [{ hidden_size: '4096' }, 'hidden_size', '4096'],
  ])('refuses %o', (json, key, actual) => {
    const read = () => llama.checkpoint.config(json);
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(key);
    expect(read).toThrow(actual);
  });
});

describe('llama.checkpoint.names', () => {
  it('has a name for every parameter, with biases', () => {
    const decoder = llama({ ...tiny, attentionBias: true, mlpBias: true });
    for (const [path] of decoder.namedParameters())
      expect(toTheirs(llama.checkpoint.names(), path)[0]?.key).toBeDefined();
    expect(toTheirs(llama.checkpoint.names(), 'layers.12.selfAttention.outProj.bias')[0]?.key).toBe(
      'model.layers.12.self_attn.o_proj.bias',
    );
  });

  it('loads a tied model whose file holds the head as well', async () => {
    const decoder = tinyLlama({ tieWordEmbeddings: true });
    const saved = new Map(saveWeights(decoder, llama.checkpoint.names()));
    const keys = [...saved.keys()];
    const source = {
      name: 'memory',
      keys: () => [...keys, 'lm_head.weight'],
      shape: (key: string) => saved.get(key)?.shape ?? [40, 16],
      read: async (key: string) => (await saved.get(key)?.read()) as Float32Array,
    };
    const other = tinyLlama({ tieWordEmbeddings: true }, 8);
    const { loaded } = await loadWeights(other, source, llama.checkpoint.names());
    expect(loaded).toHaveLength(keys.length);
    expect(await other.parameter('embedTokens.weight').read()).toEqual(
      await decoder.parameter('embedTokens.weight').read(),
    );
    await expect(loadWeights(tinyLlama({ numLayers: 3 }), source, llama.checkpoint.names())).rejects.toThrow(
      WeightError,
    );
    tf.disposeVariables();
  });
});
