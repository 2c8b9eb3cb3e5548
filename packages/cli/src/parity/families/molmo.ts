import type { JsonObject } from '@mmllm/checkpoints';
import type { CropsPreprocessing, DenseImages, ImageTokens, ModelInputs, PreparedImage } from '@mmllm/core';
import { type Arrangement, overlappingCrops } from '@mmllm/fusion-unified';
import { composeSystem, molmo as system } from '@mmllm/models';
import type { MolmoVision } from '@mmllm/vision-encoders/molmo';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from '../case';
import { molmoCrops } from './pictures';
import { type Whole, wholeModel, withoutNegatives, withoutPadding } from './whole';

const specialId = (golden: ParityCase, name: string): number =>
  (golden.description.special_ids as Record<string, number>)[name]!;

type MolmoPictures = DenseImages & { preprocessing: CropsPreprocessing };

/**
 * The crops of a case in the grid that they were cut in, and with their overlap, neither of which the case says: they are
 * those whose arrangement in the text is that of `in.image_input_idx`.
 */
async function pictures(golden: ParityCase, json: JsonObject): Promise<MolmoPictures> {
  const batch = await molmoCrops(golden, json);
  const { model } = await composeSystem(system, json);
  const cut = model.encoder!.preprocessing as CropsPreprocessing;
  const patches = cut.cropSize.width / cut.patchSize;
  const places = (await golden.ints('in.image_input_idx')).data;
  const tokens = model.imageTokens(batch.images);
  for (let overlap = 0; 2 * overlap < patches; overlap++) {
    const arrangement = overlappingCrops({ patches, overlap: [overlap, overlap] });
    const tiles = tokens.map((image) => gridOf(image, places, arrangement));
    if (tiles.includes(undefined)) continue;
    const images = batch.images.map((image, i): PreparedImage => ({ ...image, tiles: tiles[i] }));
    return { ...batch, images, preprocessing: { ...cut, overlap: [overlap, overlap] } };
  }
  throw new Error('no grid of crops has the places of in.image_input_idx');
}

/** The grid in which the arrangement puts a picture's rows where the case has them; undefined if there is none. */
function gridOf(image: ImageTokens, places: Int32Array, { pieces }: Arrangement) {
  const [first, last] = [image.views[0]!, image.views.at(-1)!];
  const rows = Array.from({ length: last.start + last.count - first.start }, (_, row) => first.start + row);
  const wanted = rows.filter((row) => places[row]! >= 0).sort((a, b) => places[a]! - places[b]!);
  const crops = image.views.filter(({ valid }) => valid !== false).length - 1;
  const grids = Array.from({ length: crops }, (_, n) => ({ rows: n + 1, columns: crops / (n + 1) }));
  return grids.find((tiles) => {
    if (!Number.isInteger(tiles.columns)) return false;
    const given = pieces({ ...image, tiles }).flatMap((piece) => (piece.kind === 'rows' ? piece.rows : []));
    return `${given}` === `${wanted}`;
  });
}

/** Every state of tower and decoder, and the loss of the reference's trainer. */
async function states({ golden, comparison, model, inputs, images, fused }: Whole): Promise<void> {
  const vit = (model.encoder as MolmoVision).hiddenStates(images);
  for (const [depth, state] of vit.entries()) await comparison.give(`out.vit.hidden.${depth}`, state);
  const { hidden, hiddenStates = [] } = model.decoder.forward(fused, { hiddenStates: true });
  const targets = await golden.ints('in.target_tokens');
  const weights = await golden.floats('in.loss_masks');
  const loss = tf.tidy(() => {
    const logits = model.decoder.logits(hidden);
    const ids = tf.tensor2d(
      targets.data.map((id) => Math.max(0, id)),
      targets.shape as [number, number],
      'int32',
    );
    const chosen = tf.oneHot(ids, model.decoder.vocabSize);
    const likely = tf.sum(tf.mul(tf.logSoftmax(logits), chosen), -1);
    // Padding has −1.
    const weight = tf.tensor2d(
      weights.data.map((value) => Math.max(0, value)),
      weights.shape as [number, number],
    );
    return tf.neg(tf.div(tf.sum(tf.mul(likely, weight)), tf.sum(weight)));
  });
  await comparison.give('out.weighted_loss', loss);
  for (const [depth, state] of hiddenStates.entries()) {
    await comparison.give(`out.hidden.${depth}`, withoutPadding(state, inputs));
  }
  if (!hiddenStates.includes(hidden)) hidden.dispose();
}

/** The prompts, each without its padding and with its picture. */
async function greedy({ golden, comparison, model, inputs, images }: Whole): Promise<void> {
  const { data, shape } = await golden.ids('in.prompt_ids');
  const [batch, length] = shape;
  const count = golden.shape('out.greedy')[1]!;
  const crops = (images as DenseImages).pixels.shape[0] / batch;
  const tokens = new Int32Array(batch * count);
  for (let b = 0; b < batch; b++) {
    const own = data.subarray(b * length, (b + 1) * length).filter((id) => id >= 0);
    const one = withoutNegatives({ data: own, shape: [1, own.length] });
    const dense = images as DenseImages;
    const pixels = tf.slice(dense.pixels, [b * crops, 0, 0, 0], [crops, -1, -1, -1]);
    const share = (dense.coverage?.length ?? 0) / batch;
    const picture: DenseImages = {
      kind: 'dense',
      images: [dense.images[b]!],
      pixels,
      coverage: dense.coverage?.subarray(b * share, (b + 1) * share),
    };
    const prompt: ModelInputs = {
      ids: one,
      imageTokenId: inputs.imageTokenId,
      imagesPerSample: [1],
      images: picture,
    };
    const fused = model.fuse(prompt);
    let step = 0;
    for await (const { ids } of model.decoder.generate(fused, { maxNewTokens: count })) {
      tokens[b * count + step++] = ids[0]!;
    }
    fused.dispose?.();
    tf.dispose([fused.embeddings, pixels]);
  }
  await comparison.give('out.greedy', { shape: [batch, count], data: tokens });
}

/** Molmo, in the names of its own code and with the pictures of its own preprocessor. */
export const molmo = wholeModel({
  pictures,
  features: 'all',
  also: states,
  greedy,
  imageToken: (golden) => specialId(golden, 'im_patch'),
});
