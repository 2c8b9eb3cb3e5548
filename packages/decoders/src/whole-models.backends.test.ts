import { composeMaps, loadWeights, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import {
  type AttentionRule,
  type Decoder,
  type DecoderInputs,
  type Positions,
  sequentialPositions,
} from '@mmllm/core';
import { crossEntropy } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { openParityCase, type ParityCase } from '../../cli/src/parity';
import { fixtureFiles } from '../../cli/src/testing/case-files';
import { emu3 } from './emu3';
import { mm15 } from './mm15';
import { molmo } from './molmo';
import { qwen2 } from './qwen2';

type Json = Awaited<ReturnType<ParityCase['config']>>;

interface Family<C> {
  (config: C): Decoder;
  readonly checkpoint: { config(json: Json): C; names(config: C): NameMap };
}

/** A decoder with its part of a whole model's weights. @param prefix what stands before its names there */
async function decoderOf<C>(golden: ParityCase, family: Family<C>, json: Json, prefix: string) {
  const config = family.checkpoint.config(json);
  const decoder = family(config);
  const others = { rules: [], ignore: ['visual.**', 'vision_tower.**', 'multi_modal_projector.**'] };
  const more = { rules: [], ignore: ['model.visual.**', 'model.vision_backbone.**', 'vqmodel.**'] };
  const names = composeMaps(prefixMap(family.checkpoint.names(config), { theirs: prefix }), others, more);
  await loadWeights(decoder, await golden.weights(), names);
  return { decoder, config };
}

/** Embeddings of the case's ids, with its features in the places of the pictures. */
async function substituted(golden: ParityCase, decoder: Decoder, imageTokenId: number): Promise<tf.Tensor3D> {
  const { data, shape } = await golden.ids('in.input_ids');
  const features = await golden.floats('out.features');
  const text = decoder.embed({ data, shape });
  const values = (await text.data<'float32'>()).slice();
  text.dispose();
  let row = 0;
  for (const [i, id] of data.entries()) {
    if (id !== imageTokenId) continue;
    const width = decoder.hiddenSize;
    values.set(features.data.subarray(row * width, (row + 1) * width), i * width);
    row++;
  }
  return tf.tensor3d(values, [...shape, decoder.hiddenSize]);
}

/** First real position of each row of a mask padded on the left. */
async function startOf(golden: ParityCase): Promise<Int32Array> {
  const { data, shape } = await golden.ints('in.attention_mask');
  const [batch, length] = shape;
  return Int32Array.from({ length: batch }, (_, b) => data.subarray(b * length, (b + 1) * length).indexOf(1));
}

/** The golden logits are zero at padding. */
async function checkLogits(golden: ParityCase, decoder: Decoder, hidden: tf.Tensor3D, start?: Int32Array) {
  const [batch, length] = hidden.shape;
  const counts = Float32Array.from({ length: batch * length }, (_, i) =>
    i % length >= (start?.[Math.floor(i / length)] ?? 0) ? 1 : 0,
  );
  const logits = tf.tidy(() => tf.mul(decoder.logits(hidden), tf.tensor3d(counts, [batch, length, 1])));
  await assertTensorsClose(logits, await golden.floats('out.logits'), { tolerance: golden.tolerance });
  logits.dispose();
}

/**
 * The mask of the reference, added to the scores: there a padded token, which sees none, takes the mean of all. The first
 * real token of the second sample is predicted from one.
 */
function maskOf(start: Int32Array, [batch, length]: [number, number]): AttentionRule {
  // So low that scores vanish beside it, and not low enough for the op to take it for hidden.
  const lowest = -5e8;
  const bias = Float32Array.from({ length: batch * length * length }, (_, i) => {
    const [b, query, key] = [Math.floor(i / length ** 2), Math.floor(i / length) % length, i % length];
    return key <= query && key >= start[b] ? 0 : lowest;
  });
  return { causal: false, bias, biasShape: [batch, 1, length, length] };
}

const open = (name: string) => openParityCase(fixtureFiles(name));

describeBackends('decoders of whole models, given the features of their pictures', (backend) => {
  it('Qwen2-VL turns by three axes', { timeout: 120_000 }, async () => {
    const golden = await open('qwen2-vl/base');
    const json = await golden.config();
    const { decoder } = await decoderOf(golden, qwen2, json.text_config as Json, '');
    expect(decoder.positionAxes).toBe(3);
    const embeddings = await substituted(golden, decoder, json.image_token_id as number);
    const { data, shape } = await golden.ints('out.positions');
    const positions: Positions = { data, axes: 3, shape: [shape[1], shape[2]] };
    await expectNoLeak(async () => {
      const { hidden } = decoder.forward({ embeddings, positions, rule: { causal: true } });
      await checkLogits(golden, decoder, hidden);
      hidden.dispose();
    });
    embeddings.dispose();
    decoder.dispose();
    await golden.close();
  });

  it('Qwen2-VL takes text with positions of one axis as with three equal ones', async () => {
    const golden = await open('qwen2-vl/base');
    const { decoder } = await decoderOf(golden, qwen2, (await golden.config()).text_config as Json, '');
    const ids = { data: Int32Array.of(5, 6, 9, 11), shape: [1, 4] as const };
    const one = sequentialPositions(ids.shape);
    const three: Positions = {
      data: Int32Array.of(...one.data, ...one.data, ...one.data),
      axes: 3,
      shape: [1, 4],
    };
    const [short, long] = [{ ids }, { ids, positions: three }].map(
      (inputs) => decoder.forward(inputs).hidden,
    );
    expect(await short.data()).toEqual(await long.data());
    tf.dispose([short, long]);
    decoder.dispose();
    await golden.close();
  });

  it.each(['dense', 'moe'])('MM1.5 %s, with its losses of routing', { timeout: 120_000 }, async (variant) => {
    const golden = await open(`mm1.5/${variant}`);
    const json = await golden.config();
    const { decoder } = await decoderOf(golden, mm15, json, 'language_model');
    const embeddings = await substituted(golden, decoder, json.image_token_id as number);
    const start = await startOf(golden);
    const inputs: DecoderInputs = {
      embeddings,
      positions: sequentialPositions([embeddings.shape[0], embeddings.shape[1]], start),
      rule: { causal: true, start },
    };
    await expectNoLeak(async () => {
      const { hidden, auxiliaryLosses = [] } = decoder.forward(inputs, { auxiliaryLosses: true });
      await checkLogits(golden, decoder, hidden, start);
      expect(auxiliaryLosses.map(({ name, coefficient }) => [name, coefficient])).toEqual(
        variant === 'moe'
          ? [
              ['balance', 0.01],
              ['z', 0.001],
            ]
          : [],
      );
      for (const { name, loss } of auxiliaryLosses) {
        const expected = await golden.floats(`out.${name}_loss`);
        await assertTensorsClose(loss, expected, { tolerance: golden.tolerance });
      }
      tf.dispose([hidden, ...auxiliaryLosses.map(({ loss }) => loss)]);
    });
    embeddings.dispose();
    decoder.dispose();
    await golden.close();
  });

  it('Emu3 reads its own codes of a picture', { timeout: 120_000 }, async () => {
    const golden = await open('emu3/base');
    const json = await golden.config();
    const { decoder } = await decoderOf(golden, emu3, json.text_config as Json, 'text_model');
    const ids = await golden.ids('in.input_ids');
    const codes = (await golden.ints('out.image_tokens')).data;
    let next = 0;
    const data = ids.data.map((id) => (id === json.image_token_id ? codes[next++] : id));
    const { hidden } = decoder.forward({ ids: { data, shape: ids.shape } });
    await checkLogits(golden, decoder, hidden);
    hidden.dispose();
    decoder.dispose();
    await golden.close();
  });

  it('Molmo, in its own names, behind the embeddings that its pictures are added to', {
    timeout: 120_000,
  }, async () => {
    const golden = await open('molmo/base');
    const { decoder } = await decoderOf(golden, molmo, await golden.config(), '');
    const { data, shape } = await golden.floats('out.hidden.0');
    const embeddings = tf.tensor3d(data, shape as [number, number, number]);
    const [batch, length] = embeddings.shape;
    const mask = (await golden.ints('in.attention_mask')).data;
    const end = Int32Array.from({ length: batch }, (_, b) => {
      const counts = mask.subarray(b * length, (b + 1) * length);
      return counts.reduce((sum, one) => sum + one, 0);
    });
    const positions = {
      data: (await golden.ints('in.position_ids')).data,
      axes: 1,
      shape: [batch, length],
    } as const;
    const counts = tf.tensor3d(Float32Array.from(mask), [batch, length, 1]);
    await expectNoLeak(async () => {
      const { hidden, hiddenStates = [] } = decoder.forward(
        { embeddings, positions, rule: { causal: true, end } },
        { hiddenStates: true },
      );
      for (const [i, state] of hiddenStates.entries()) {
        const masked = tf.mul(state, counts);
        await assertTensorsClose(masked, await golden.floats(`out.hidden.${i}`), {
          tolerance: golden.tolerance,
        });
        masked.dispose();
      }
      const logits = tf.tidy(() => tf.mul(decoder.logits(hidden), counts));
      await assertTensorsClose(logits, await golden.floats('out.logits'), { tolerance: golden.tolerance });
      tf.dispose([logits, ...hiddenStates]);
    });
    // Where no picture is added, the first state is the embedding, also of the tokens beyond the vocabulary.
    const ids = (await golden.ints('in.input_ids')).data;
    const text = Int32Array.from(ids, (id) => Math.max(id, 0));
    const embedded = decoder.embed({ data: text, shape: [batch, length] });
    const values = await embedded.data<'float32'>();
    const patch = 122;
    for (const [i, id] of ids.entries()) {
      if (id < 0 || id === patch) continue;
      const width = decoder.hiddenSize;
      expect([...values.subarray(i * width, (i + 1) * width)]).toEqual([
        ...data.subarray(i * width, (i + 1) * width),
      ]);
    }
    tf.dispose([embedded, embeddings, counts]);
    decoder.dispose();
    await golden.close();
  });

  // The reference's gradient of attention starts from log-sum-exps, whose digits are lost beside a bias of −5e8.
  if (backend === 'cpu' || backend === 'webgl') return;

  it('MM1.5 trains its experts by the cross-entropy and both losses', { timeout: 120_000 }, async () => {
    const golden = await open('mm1.5/moe');
    const json = await golden.config();
    const { decoder } = await decoderOf(golden, mm15, json, 'language_model');
    const embeddings = await substituted(golden, decoder, json.image_token_id as number);
    const start = await startOf(golden);
    const [batch, length] = embeddings.shape;
    const labels = await golden.ints('in.labels');
    const targets = labels.data.map((_, i) => (i % length === length - 1 ? -100 : labels.data[i + 1]));
    const positions = sequentialPositions([batch, length], start);
    const router = decoder.parameter('layers.1.mlp.router.weight').value;
    const up = decoder.parameter('layers.3.mlp.upProj').value;
    const { value, grads } = tf.variableGrads(
      () =>
        tf.tidy(() => {
          const { hidden } = decoder.forward({ embeddings, positions, rule: maskOf(start, [batch, length]) });
          const counted = { embeddings, positions, rule: { causal: true, start } };
          const { auxiliaryLosses = [] } = decoder.forward(counted, { auxiliaryLosses: true });
          const logits = tf.reshape<tf.Rank.R2>(decoder.logits(hidden), [-1, decoder.vocabSize]);
          const terms = auxiliaryLosses.map(({ loss, coefficient }) => tf.mul(loss, coefficient));
          return tf.addN([crossEntropy(logits, targets), ...terms]) as tf.Scalar;
        }),
      [router, up],
    );
    const tolerance = { tolerance: golden.tolerance };
    await assertTensorsClose(value, await golden.floats('out.loss'), tolerance);
    const ofRouter = tf.transpose(grads[router.name]);
    const key = 'language_model.model.layers.1.mlp.gate.weight';
    await assertTensorsClose(ofRouter, await golden.floats(`grad.${key}`), tolerance);
    const ofExpert = tf.tidy(() =>
      tf.transpose(tf.squeeze(tf.slice(grads[up.name], [3, 0, 0], [1, -1, -1]))),
    );
    const expert = 'language_model.model.layers.3.mlp.experts.3.up_proj.weight';
    await assertTensorsClose(ofExpert, await golden.floats(`grad.${expert}`), tolerance);
    tf.dispose([value, grads, ofRouter, ofExpert, embeddings]);
    decoder.dispose();
    await golden.close();
  });
});
