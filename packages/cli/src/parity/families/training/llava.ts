import type { ModelInputs, ProcessorFactory, Sample } from '@mmllm/core';
import { train } from '@mmllm/trainer';
import type { ParityCase } from '../../case';
import type { ParityFamily } from '..';
import { shiftedLabels } from '../gradients';
import { densePictures } from '../pictures';
import { inMemory, loadSystem } from '../whole';
import { compareRun, countBatches, inOrder, stagesOf } from './training';

/** LLaVA's stages, each under its freeze policy, on the ready batches of a case. */
export const trainLlava: ParityFamily = async (golden, comparison) => {
  const { model, names, imageTokenId } = await loadSystem(golden, await golden.config(), comparison, {
    processor: readyBatches(golden),
  });
  const trainedModel = { model, names, inMemory };
  // A batch of the case is one sample here, and its number stands for each of its pictures.
  const samples = Array.from({ length: countBatches(golden) }, (_, batch) => ({
    prompt: `${batch} ${imageTokenId}`,
    images: new Array<string>(golden.shape(`in.${batch}.pixel_values`)[0]).fill(`${batch}`),
  }));
  const stages = stagesOf(golden, trainedModel).map((stage) => ({ ...stage, data: inOrder(samples) }));
  const run = train(model, { stages, batchSize: 1, featureCacheBytes: 0 });
  await compareRun(run, trainedModel, golden, comparison);
};

/** Gives the batch of the case that a sample's prompt numbers. */
function readyBatches(golden: ParityCase): ProcessorFactory {
  const process = async ([sample]: readonly Sample[]): Promise<ModelInputs> => {
    const [batch, imageTokenId] = 'prompt' in sample ? sample.prompt.split(' ').map(Number) : [];
    const ids = await golden.ids(`in.${batch}.input_ids`);
    const images = densePictures(await golden.floats(`in.${batch}.pixel_values`));
    const labels = shiftedLabels(await golden.ints(`in.${batch}.labels`));
    // One picture for each row: so are the cases made.
    const imagesPerSample = new Array<number>(ids.shape[0]).fill(images.images.length / ids.shape[0]);
    return { ids, imageTokenId, imagesPerSample, images, labels };
  };
  const unused = () => {
    throw new Error('ready batches need no tokenizer');
  };
  const tokenizer = { vocabSize: 0, encode: unused, decode: unused, tokenId: unused };
  return {
    specVersion: 'processor/v1',
    build: () => ({
      specVersion: 'processor/v1',
      tokenizer,
      stopIds: [],
      process,
      prepareImages: unused,
    }),
  };
}
