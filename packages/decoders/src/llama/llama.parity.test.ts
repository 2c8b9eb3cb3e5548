import { loadWeights, saveWeights } from '@mmllm/checkpoints';
import { assertTensorsClose, compareTensors, expectNoLeak } from '@mmllm/conformance';
import type { Decoder, DecoderInputs } from '@mmllm/core';
import { crossEntropy } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { type Golden, openGolden } from '../testing/golden';
import { generateRows } from '../testing/inputs';
import { llama } from './index';

const NEW_TOKENS = 12;

describeBackends('case decoder-llama', () => {
  let golden: Golden;
  let decoder: Decoder;
  let inputs: DecoderInputs;
  let rows: number[][];
  let mask: tf.Tensor3D;

  beforeAll(async () => {
    golden = await openGolden('decoder-llama/base');
    decoder = llama(llama.checkpoint.config(golden.config));
    await loadWeights(decoder, golden.weights, llama.checkpoint.names());
    inputs = await goldenInputs();
    const padding = await golden.ints('in.mask');
    mask = tf.tensor3d(Float32Array.from(padding.data), [...inputs.positions.shape, 1]);
    const ids = await golden.ints('in.ids');
    const [batch, length] = inputs.positions.shape;
    rows = Array.from({ length: batch }, (_, b) =>
      [...ids.data.slice(b * length, (b + 1) * length)].filter((_, t) => padding.data[b * length + t] === 1),
    );
  });

  afterAll(() => {
    inputs.embeddings.dispose();
    mask.dispose();
    decoder.dispose();
  });

  async function goldenInputs(): Promise<DecoderInputs> {
    const ids = await golden.ints('in.ids');
    const positions = await golden.ints('in.positions');
    const padding = await golden.ints('in.mask');
    const shape: [number, number] = [ids.shape[0], ids.shape[1]];
    const start = Int32Array.from({ length: shape[0] }, (_, b) =>
      padding.data.subarray(b * shape[1], (b + 1) * shape[1]).indexOf(1),
    );
    return {
      embeddings: decoder.embed({ data: ids.data, shape }),
      positions: { data: positions.data, axes: 1, shape },
      rule: { causal: true, start },
    };
  }

  /** Compares where the sequences are no padding; the golden values are zero elsewhere. */
  async function compare(name: string, actual: tf.Tensor3D): Promise<void> {
    const masked = tf.mul(actual, mask);
    await assertTensorsClose(masked, await golden.floats(name), { tolerance: golden.tolerance, name });
    masked.dispose();
  }

  const logitsOf = () => tf.tidy(() => decoder.logits(decoder.forward(inputs).hidden) as tf.Tensor3D);

  it('gives every hidden state and the logits, with padding on the left', async () => {
    await expectNoLeak(async () => {
      const { hiddenStates = [] } = decoder.forward(inputs, { hiddenStates: true });
      expect(hiddenStates).toHaveLength(decoder.numLayers + 1);
      for (const [i, state] of hiddenStates.entries()) await compare(`out.hidden.${i}`, state);
      tf.dispose([...hiddenStates]);
      const logits = logitsOf();
      await compare('out.logits', logits);
      logits.dispose();
    });
  });

  it('fails the comparison when one weight is off by a little', async () => {
    const weight = decoder.parameter('layers.1.selfAttention.kProj.weight');
    const right = await weight.read();
    const wrong = right.slice();
    wrong[5] += 0.01;
    weight.assign(wrong);
    const masked = tf.tidy(() => tf.mul(logitsOf(), mask));
    weight.assign(right);
    const { ok } = await compareTensors(masked, await golden.floats('out.logits'), {
      tolerance: golden.tolerance,
    });
    masked.dispose();
    expect(ok).toBe(false);
  });

  // A software GPU takes its time over a token.
  it('generates the same tokens greedily', { timeout: 300_000 }, async () => {
    const expected = await golden.ints('out.greedy');
    const [batch, length] = expected.shape;
    const continuations = Array.from({ length: batch }, (_, b) => [
      ...expected.data.slice((b + 1) * length - NEW_TOKENS, (b + 1) * length),
    ]);
    await expectNoLeak(async () => {
      expect(await generateRows(decoder, rows, { maxNewTokens: NEW_TOKENS })).toEqual(continuations);
    });
  });

  it('gives the loss and the gradient of every parameter', async () => {
    const ids = await golden.ints('in.ids');
    const labels = await golden.ints('in.labels');
    const [batch, length] = inputs.positions.shape;
    // The model shifts: what stands at t + 1 is the target of t.
    const targets = Int32Array.from(labels.data, (_, i) =>
      i % length === length - 1 ? -100 : labels.data[i + 1],
    );
    const parameters = [...decoder.namedParameters()];
    const loss = () =>
      tf.tidy(() => {
        const embeddings = decoder.embed({ data: ids.data, shape: [batch, length] });
        const { hidden } = decoder.forward({ ...inputs, embeddings });
        const logits = tf.reshape(decoder.logits(hidden), [batch * length, decoder.vocabSize]);
        return crossEntropy(logits as tf.Tensor2D, targets);
      });
    await expectNoLeak(async () => {
      const { value, grads } = tf.variableGrads(
        loss,
        parameters.map(([, { value }]) => value),
      );
      await assertTensorsClose(value, await golden.floats('out.loss'), { tolerance: golden.tolerance });
      for (const [key, gradient] of await inFileLayout(grads)) {
        // transformers does not store the gradient of the head.
        if (!golden.names.includes(`grad.${key}`)) {
          expect(key).toBe('lm_head.weight');
          continue;
        }
        await assertTensorsClose(gradient, await golden.floats(`grad.${key}`), {
          tolerance: golden.tolerance,
          name: key,
        });
      }
      value.dispose();
      tf.dispose(grads);
    });
  });

  /** The gradients under the names and in the layout of the file: a decoder whose weights they are, saved. */
  async function inFileLayout(grads: tf.NamedTensorMap) {
    const holder = llama(llama.checkpoint.config(golden.config));
    for (const [path, parameter] of holder.namedParameters()) {
      parameter.assign(grads[decoder.parameter(path).value.name]);
    }
    const saved = await Promise.all(
      saveWeights(holder, llama.checkpoint.names()).map(
        async ([key, tensor]) =>
          [key, { shape: tensor.shape, data: (await tensor.read()) as Float32Array }] as const,
      ),
    );
    holder.dispose();
    return saved;
  }

  it('saves what it loaded', async () => {
    const saved = new Map(saveWeights(decoder, llama.checkpoint.names()));
    expect([...saved.keys()].sort()).toEqual([...golden.weights.keys()].sort());
    for (const [key, tensor] of saved) {
      expect(tensor.shape).toEqual(golden.weights.shape(key));
      expect(await tensor.read()).toEqual(await golden.weights.read(key));
    }
  });

  it('counts exactly', () => {
    expect(decoder.countParameters()).toBe(51_696);
  });
});
