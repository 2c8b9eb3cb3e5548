import { composeMaps, loadWeights, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { type Decoder, type Positions, sequentialPositions } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { openParityCase, type ParityCase } from '../../cli/src/parity';
import { fixtureFiles } from '../../cli/src/testing/case-files';
import { emu3 } from './emu3';
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

async function checkLogits(golden: ParityCase, decoder: Decoder, hidden: tf.Tensor3D) {
  const logits = decoder.logits(hidden);
  await assertTensorsClose(logits, await golden.floats('out.logits'), { tolerance: golden.tolerance });
  logits.dispose();
}

const open = (name: string) => openParityCase(fixtureFiles(name));

describeBackends('decoders of whole models, given the features of their pictures', () => {
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
});
