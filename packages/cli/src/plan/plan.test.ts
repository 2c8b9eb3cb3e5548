import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { ConfigError, ContextLengthError, composeModel } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { published, systemOf, systems } from '@mmllm/models';
import { frozen, trained } from '@mmllm/trainer';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { formatPlan, type PlanOptions, planConfig, planModel, plannedModel } from '.';

const cases = new URL('../../../../fixtures/cases/', import.meta.url);

const configOf = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`${name}/model/config.json`, cases), 'utf8'));

const numTensors = () => tf.engine().state.numTensors;

const tiny = {
  model_type: 'llama',
  vocab_size: 100,
  hidden_size: 32,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 64,
  max_position_embeddings: 256,
};

const decoderOnly = async () => ({
  model: await composeModel(
    { decoder: llama({ vocabSize: 100, hiddenSize: 32, numLayers: 3, numHeads: 4, intermediateSize: 64 }) },
    { shapeOnly: true },
  ),
  text: { imageTokenId: -1 },
});

describe('planConfig', () => {
  it('plans LLaVA-1.5-7B without allocating it, and leaves nothing behind', async () => {
    const plan = await planConfig(published['llava-1.5-7b']);
    expect(plan).toMatchObject({
      ...{ stage: 'all', batch: 1, length: 2048, images: 1 },
      ...{ parameters: 7_063_427_072, trained: 7_063_427_072 },
      weights: 4 * 7_063_427_072,
      gradients: 4 * 7_063_427_072,
      optimizer: 8 * 7_063_427_072,
      kvCache: 0,
    });
    expect(plan.peak.bytes).toBeLessThan(plan.weights + plan.gradients + plan.optimizer + plan.activations);
    expect(numTensors()).toBe(0);
    // Nobody gets its backend by chance.
    expect(tf.engine().backendName).toBeNull();
    expect(formatPlan(plan)).toContain('28.25 GB');
  });

  it('counts the operations of products', async () => {
    const [batch, length, answer] = [3, 20, 5];
    const plan = await planConfig(tiny, { batch, length, answer });
    const perLayer = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64;
    const attention = 2 * length * 32;
    const forward = 2 * batch * length * 3 * (perLayer + attention) + 2 * batch * answer * 32 * 100;
    expect(plan.flops).toEqual({ forward, backward: 2 * forward });
    // What is computed again.
    const { flops } = await planConfig(tiny, { batch, length, answer, gradientCheckpointing: true });
    expect(flops.forward).toBe(forward);
    expect(flops.backward).toBeGreaterThan(2 * forward + 2 * batch * length * 2 * perLayer);
    expect(flops.backward).toBeLessThanOrEqual(3 * forward);
  });

  it('says what fits', async () => {
    const options: PlanOptions = { length: 64, batch: 4 };
    const { peak } = await planConfig(tiny, options);
    const { fit } = await planConfig(tiny, { ...options, memory: peak.bytes });
    expect(fit).toEqual({ memory: peak.bytes, fits: true, largestBatch: 4 });
    const less = await planConfig(tiny, { ...options, memory: peak.bytes - 1 });
    expect(less.fit).toMatchObject({ fits: false, largestBatch: 3 });
    expect((await planConfig(tiny, { ...options, memory: 1000 })).fit?.largestBatch).toBe(0);
    expect(formatPlan(less)).toContain('does not fit');
  });

  it('has room for pictures, and for text behind them, where nothing says how long', async () => {
    const { length } = await planConfig(published['paligemma-3b-896'], { stage: 'inference' });
    expect(length).toBe(1 + 4096 + 512);
  });

  it('holds what is frozen as another type', async () => {
    const whole = await planConfig(tiny, { stage: 'inference', length: 64 });
    const half = await planConfig(tiny, { stage: 'inference', length: 64, dtype: 'bfloat16' });
    const norms = 4 * 7 * 32;
    // Both tables of 100 outputs are filled up to 104.
    expect(half.weights - norms).toBe((whole.weights - norms) / 2 + 2 * 4 * 32 * 2);
    expect(await planConfig(tiny, { length: 64, dtype: 'bfloat16' })).toMatchObject({
      weights: whole.weights,
    });
  });

  const kinds = new Set(systems.map(({ modelType }) => modelType));
  const names = readdirSync(cases)
    .flatMap((family) => readdirSync(new URL(`${family}/`, cases)).map((variant) => `${family}/${variant}`))
    .filter((name) => existsSync(new URL(`${name}/model/config.json`, cases)))
    .filter((name) => kinds.has(String(configOf(name).model_type)))
    // Its pictures are larger than its decoder's context.
    .filter((name) => name !== 'fuyu/base');

  it('finds a case of every other system', () => {
    expect(new Set(names.map((name) => configOf(name).model_type)).size).toBe(kinds.size - 1);
  });

  it.each(names)('plans %s, and every stage of its system', async (name) => {
    const before = numTensors();
    const config = configOf(name);
    const all = await planConfig(config);
    // Running statistics are no parameters.
    expect(all.weights).toBe(4 * all.parameters + (name === 'emu3/base' ? 128 : 0));
    expect(all.flops.backward / all.flops.forward).toBeGreaterThan(1.8);
    expect(all.peak.bytes).toBeGreaterThan(4 * all.weights);
    const inference = await planConfig(config, { stage: 'inference' });
    expect(inference.kvCache).toBeGreaterThan(0);
    expect(inference.peak.bytes).toBeLessThan(all.peak.bytes);
    for (const { name: stage } of systemOf(config).stages) {
      const plan = await planConfig(config, { stage });
      expect(plan.trained).toBeGreaterThan(0);
      expect(plan.peak.bytes).toBeLessThanOrEqual(all.peak.bytes);
    }
    expect(numTensors()).toBe(before);
  });

  it.each<[string, unknown, PlanOptions, string]>([
    ['a tower', published['vit-h-14-224'], {}, 'a model with a decoder'],
    ['an unknown stage', tiny, { stage: 'align' }, "all, inference, got 'align'"],
    ['a batch of nothing', tiny, { batch: 0 }, 'plan.batch'],
    ['a number that is none', tiny, { length: Number.NaN }, 'plan.length'],
    ['another optimiser', tiny, { optimizer: 'sgd' as 'adamw' }, 'plan.optimizer'],
    ['another type', tiny, { dtype: 'int3' as 'q8' }, 'plan.dtype'],
    ['pictures for text', tiny, { images: 1 }, 'plan images'],
  ])('refuses %s', async (_, config, options, message) => {
    const refusal = planConfig(config, options);
    await expect(refusal).rejects.toThrow(message);
    await expect(refusal).rejects.toSatisfy((error) => ConfigError.isInstance(error));
  });

  it.each([
    ['a length that pictures fill', { length: 577 }],
    ['a length beyond the decoder', { length: 5000 }],
    ['an answer beyond it', { length: 5000, stage: 'inference' }],
  ])('refuses %s', async (_, options) => {
    const before = numTensors();
    await expect(planConfig(published['llava-1.5-7b'], options)).rejects.toSatisfy((error) =>
      ContextLengthError.isInstance(error),
    );
    expect(numTensors()).toBe(before);
  });
});

describe('planModel', () => {
  it('plans a stage by its name: what is frozen has no gradient and no state', async () => {
    const source = { policy: 'test', learningRate: 'test', batchSize: 'test' };
    const policy = [
      ['decoder.head', trained()],
      ['**', frozen],
    ] as const;
    const planned = { ...(await decoderOnly()), stages: [{ name: 'head', policy, sources: source }] };
    const head = await planModel(planned, { stage: 'head', length: 64 });
    expect(head).toMatchObject({ trained: 3200, gradients: 4 * 3200, optimizer: 8 * 3200 });
    const all = await planModel(planned, { stage: 'all', length: 64 });
    expect(head.flops.forward).toBe(all.flops.forward);
    expect(head.flops.backward).toBeLessThan(0.5 * all.flops.forward);
  });

  it('keeps nothing of a frozen tower in front of all that is trained', async () => {
    const source = { policy: 'test', learningRate: 'test', batchSize: 'test' };
    const policy = [
      ['encoder', frozen],
      ['**', trained()],
    ] as const;
    const planned = await plannedModel(configOf('llava/base'));
    const stages = [{ name: 'tuning', policy, sources: source }];
    const tuning = await planModel({ ...planned, stages }, { stage: 'tuning' });
    const all = await planModel({ ...planned, stages }, { stage: 'all' });
    expect(tuning.activations).toBeLessThan(all.activations);
    expect(tuning.flops.backward).toBeLessThan(all.flops.backward);
  });

  it('leaves the model as it was, and takes none with weights', async () => {
    const planned = await decoderOnly();
    await planModel(planned, { stage: 'inference', length: 16, dtype: 'q8' });
    const parameters = [...planned.model.namedParameters()].map(([, parameter]) => parameter);
    expect(parameters.every(({ ready, type }) => !ready && type === 'float32')).toBe(true);
    Object.defineProperty(parameters[0], 'ready', { value: true });
    await expect(planModel(planned)).rejects.toThrow('a shape-only model');
  });
});
