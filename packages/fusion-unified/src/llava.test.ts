import { startBackend } from '@mmllm/backends';
import { composeMaps, loadWeights, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { assertTensorsClose, compareTensors, expectNoLeak } from '@mmllm/conformance';
import { composeModel, disposeImages, type ModelInputs, type MultimodalModel } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { crossEntropy } from '@mmllm/nn';
import { mlp } from '@mmllm/projectors';
import { clip } from '@mmllm/vision-encoders/clip';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GoldenCase, openCase } from '../../vision-encoders/src/testing/golden';
import { unified } from './index';

/** How LLaVA-1.5 names the two layers of its projector. */
const projectorNames: NameMap = {
  rules: ['0', '1'].flatMap((layer, i) => [
    {
      ours: `projector.layers.${layer}.weight`,
      theirs: `multi_modal_projector.linear_${i + 1}.weight`,
      layout: 'linear',
    },
    { ours: `projector.layers.${layer}.bias`, theirs: `multi_modal_projector.linear_${i + 1}.bias` },
  ]),
};

interface LlavaConfig {
  text_config: Record<string, unknown>;
  image_token_index: number;
}

describe('case llava: a whole model, composed from packages', () => {
  let golden: GoldenCase;
  let model: MultimodalModel;
  let inputs: ModelInputs;

  beforeAll(async () => {
    await startBackend({ backend: 'wasm' });
    golden = await openCase('llava/base');
    const { text_config, image_token_index } = golden.config as LlavaConfig;
    const vision = clip.checkpoint.config(golden.config);
    model = await composeModel(
      {
        encoder: clip(vision),
        projector: mlp({ numLayers: 2 }),
        fusion: unified(),
        decoder: llama(llama.checkpoint.config(text_config)),
      },
      { shapeOnly: true },
    );
    const names = composeMaps(
      prefixMap(clip.checkpoint.names(vision, 'vision_tower'), { ours: 'encoder' }),
      projectorNames,
      prefixMap(llama.checkpoint.names(), { ours: 'decoder', theirs: 'language_model' }),
    );
    await loadWeights(model, golden.weights, names);
    inputs = {
      ids: golden.ids('in.input_ids'),
      imageTokenId: image_token_index,
      imagesPerSample: [1, 1],
      images: golden.images('in.pixel_values'),
    };
  });

  afterAll(() => {
    disposeImages(inputs.images!);
    model.dispose();
  });

  const compare = (name: string, actual: tf.Tensor) =>
    assertTensorsClose(actual, golden.tensor(name), { tolerance: golden.tolerance, name });

  it('gives the features and the logits', async () => {
    await expectNoLeak(async () => {
      const { features } = model.encodeImages(inputs.images!);
      await compare('out.features', features);
      const logits = model.forward(inputs);
      await compare('out.logits', logits);
      tf.dispose([features, logits]);
    });
  });

  it('fails the comparison when one weight is off by a little', async () => {
    const weight = model.parameter('projector.layers.1.bias');
    const right = await weight.read();
    weight.assign(right.map((value, i) => (i === 3 ? value + 0.01 : value)));
    const logits = model.forward(inputs);
    weight.assign(right);
    const { ok } = await compareTensors(logits, golden.tensor('out.logits'), { tolerance: golden.tolerance });
    expect(ok).toBe(false);
    logits.dispose();
  });

  it('generates the same tokens greedily', async () => {
    const { ids: prompt } = inputs;
    const [batch, length] = prompt.shape;
    const expected = golden.tensor('out.greedy');
    const total = expected.shape[1];
    await expectNoLeak(async () => {
      const fused = model.fuse(inputs);
      const tokens = Array.from({ length: batch }, (): number[] => []);
      for await (const { ids } of model.decoder.generate(fused, { maxNewTokens: total - length })) {
        tokens.forEach((row, b) => {
          row.push(ids[b]);
        });
      }
      fused.embeddings.dispose();
      fused.dispose?.();
      tokens.forEach((row, b) => {
        expect(row).toEqual([...expected.data.slice(b * total + length, (b + 1) * total)]);
      });
    });
  });

  it('gives the loss and the gradients of the projector, with encoder and decoder frozen', async () => {
    const [batch, length] = inputs.ids.shape;
    const labels = golden.tensor('in.labels').data;
    // The model shifts: what stands at t + 1 is the target of t.
    const targets = Int32Array.from(labels, (_, i) => (i % length === length - 1 ? -100 : labels[i + 1]));
    const trained = [...model.namedParameters()].filter(([path]) => path.startsWith('projector.'));
    await expectNoLeak(async () => {
      const { value, grads } = tf.variableGrads(
        () =>
          tf.tidy(() => {
            const logits = tf.reshape(model.forward(inputs), [batch * length, model.decoder.vocabSize]);
            return crossEntropy(logits as tf.Tensor2D, targets);
          }),
        trained.map(([, { value }]) => value),
      );
      await compare('out.loss', value);
      for (const [i, layer] of ['0', '1'].entries()) {
        const gradient = (name: string) =>
          grads[model.parameter(`projector.layers.${layer}.${name}`).value.name];
        const weight = tf.transpose(gradient('weight'));
        await compare(`grad.model.multi_modal_projector.linear_${i + 1}.weight`, weight);
        await compare(`grad.model.multi_modal_projector.linear_${i + 1}.bias`, gradient('bias'));
        weight.dispose();
      }
      value.dispose();
      tf.dispose(grads);
    });
  });
});
