import { type ImageGenerator, type MultimodalModel, sequentialPositions, type TokenIds } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from '../case';
import type { Comparison } from '../comparison';
import type { ParityFamily } from '.';
import { compareGreedy } from './greedy';
import { densePictures } from './pictures';
import { channelsFirst } from './vq';
import { loadSystem, type Whole } from './whole';

/** The generator of a model that has one. */
const generatorOf = ({ generator }: MultimodalModel): ImageGenerator => {
  if (generator) return generator;
  throw new Error('the model makes no pictures');
};

/** What the decoder makes of embeddings alone, float32[B, T, hiddenSize]. */
function hiddenOf({ decoder }: MultimodalModel, embeddings: tf.Tensor3D): tf.Tensor3D {
  const [batch, length] = embeddings.shape;
  const positions = sequentialPositions([batch, length]);
  return decoder.forward({ embeddings, positions, rule: { causal: true } }).hidden;
}

/** Codes on their way into Janus' decoder and out of it, and a picture made of them. */
export async function janusParts({ golden, comparison, model }: Whole): Promise<void> {
  const generator = generatorOf(model);
  const embeddings = generator.embed(await golden.ids('in.codes'));
  const logits = tf.tidy(() => generator.logits(hiddenOf(model, embeddings)));
  await comparison.give('out.code_embeddings', embeddings);
  await comparison.give('out.code_logits', logits);
  const codes = await guidedCodes(model, golden);
  await comparison.give('out.generated_codes', { shape: [1, codes.length], data: Int32Array.from(codes) });
  const side = Math.sqrt(codes.length);
  const pixels = tf.tidy(() => generator.tokenizer.decode(tf.tensor3d(codes, [1, side, side], 'int32')));
  await comparison.give('out.generated_pixels', channelsFirst(pixels));
}

/** Scale of Janus' guidance: `u + 5 · (c − u)` of the logits with the prompt and without. */
const GUIDANCE = 5;

/** The likeliest codes, one after the other, each time of all that came before. */
async function guidedCodes(model: MultimodalModel, golden: ParityCase): Promise<number[]> {
  const generator = generatorOf(model);
  const { data, shape } = await golden.ids('in.generation_prompt');
  const without = data.map((id, i) => (i === 0 || i === data.length - 1 ? id : 0));
  const prompts: TokenIds = { data: Int32Array.of(...data, ...without), shape: [2, shape[1]] };
  const codes: number[] = [];
  while (codes.length < golden.shape('out.generated_codes')[1]!) {
    const best = tf.tidy(() => {
      const made: TokenIds = { data: Int32Array.of(...codes, ...codes), shape: [2, codes.length] };
      const prompt = model.decoder.embed(prompts);
      const hidden = hiddenOf(
        model,
        codes.length > 0 ? tf.concat3d([prompt, generator.embed(made)], 1) : prompt,
      );
      const last = tf.slice(hidden, [0, hidden.shape[1] - 1, 0], [2, 1, -1]);
      const [given, free] = tf.unstack(tf.reshape(generator.logits(last), [2, -1]));
      return tf.argMax(tf.add(free!, tf.mul(tf.sub(given!, free!), GUIDANCE)));
    });
    codes.push((await best.data())[0]!);
    best.dispose();
  }
  return codes;
}

/** Emu3: the codes of a picture are words, with one more for the end of each row. */
export const emu3: ParityFamily = async (golden, comparison) => {
  const json = await golden.config();
  const { model, imageTokenId } = await loadSystem(golden, json, comparison);
  const words = json.vocabulary_map as Readonly<Record<string, number>>;
  const { pixels } = densePictures(await golden.floats('in.pixel_values'));
  comparison.own(pixels);
  const picture = await wordsOfPicture(generatorOf(model), pixels, words, comparison);
  await comparison.give('out.image_tokens', {
    shape: [1, picture.length],
    data: Int32Array.from(picture),
  });
  const prompt = await golden.ids('in.input_ids');
  let next = 0;
  const data = prompt.data.map((id) => (id === imageTokenId ? picture[next++]! : id));
  const ids: TokenIds = { data, shape: prompt.shape };
  const inputs = { ids, imageTokenId, imagesPerSample: [0] };
  await comparison.give('out.logits', model.forward(inputs));
  const fused = model.fuse(inputs);
  comparison.own(fused.embeddings);
  await compareGreedy(model.decoder, prompt, fused, golden, comparison);
};

/** The words of a picture, whose codes are compared. */
async function wordsOfPicture(
  { tokenizer }: ImageGenerator,
  pixels: tf.Tensor4D,
  words: Readonly<Record<string, number>>,
  comparison: Comparison,
): Promise<number[]> {
  const codes = tokenizer.encode(pixels);
  const [, rows, columns] = codes.shape;
  const data = (await codes.data<'int32'>()).slice();
  await comparison.give(
    'out.codes',
    tf.tidy(() => tf.reshape(codes, [rows, columns])),
  );
  codes.dispose();
  return Array.from({ length: rows }, (_, row) => [
    ...Array.from(
      data.subarray(row * columns, (row + 1) * columns),
      (code) => words[`<|visual token ${String(code).padStart(6, '0')}|>`]!,
    ),
    words['<|extra_200|>']!,
  ]).flat();
}
