import type { ImageSource } from '@mmllm/core';
import { contrastive, type TwoTowers, train } from '@mmllm/trainer';
import type { ParityCase } from '../../case';
import type { ParityFamily } from '..';
import { clipTowers, loadTowers, siglipTowers } from '../contrastive';
import { densePictures } from '../pictures';
import { compareRun, countBatches, inOrder, stagesOf } from './training';

/** Contrastive training of both towers, on the ready batches of a case. */
const contrastiveTraining =
  (compose: typeof clipTowers): ParityFamily =>
  async (golden, comparison) => {
    const { model, names } = await loadTowers(compose, golden, comparison);
    const trainedModel = { model, names, inMemory: (key: string) => key };
    const sizes = await Promise.all(
      Array.from({ length: countBatches(golden) }, (_, batch) => golden.shape(`in.${batch}.input_ids`)[0]),
    );
    const batchSize = sizes[0];
    const samples = sizes.flatMap((size, batch) =>
      Array.from({ length: size }, (_, row) => ({ image: `${batch}`, caption: `${batch} ${row}` })),
    );
    const objective = contrastive(model as TwoTowers, await readyBatches(golden, sizes.length));
    const stages = stagesOf(golden, trainedModel).map((stage) => ({
      ...stage,
      objective,
      batchSize,
      data: inOrder(samples),
    }));
    await compareRun(train(model, { stages }), trainedModel, golden, comparison);
  };

export const trainClip = contrastiveTraining(clipTowers);
export const trainSiglip = contrastiveTraining(siglipTowers);

/** Gives the ids of a caption `batch row`, and the pictures of the batch that an image numbers. */
async function readyBatches(golden: ParityCase, count: number) {
  const batches = await Promise.all(
    Array.from({ length: count }, async (_, batch) => ({
      ids: await golden.ints(`in.${batch}.input_ids`),
      pixels: await golden.floats(`in.${batch}.pixel_values`),
    })),
  );
  return {
    tokenizer: {
      vocabSize: 0,
      encode(caption: string) {
        const [batch, row] = caption.split(' ').map(Number);
        const { data, shape } = batches[batch].ids;
        return data.slice(row * shape[1], (row + 1) * shape[1]);
      },
      decode: () => '',
      tokenId: () => undefined,
    },
    prepareImages: async ([image]: readonly ImageSource[]) => densePictures(batches[Number(image)].pixels),
  };
}
