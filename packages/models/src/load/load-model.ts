import { type LoadProgress, loadWeights, type ModelFolder, type WeightSource } from '@mmllm/checkpoints';
import { ConfigError, generationFromHuggingFace, type ProcessorFactory, type WeightType } from '@mmllm/core';
import { holdWeights } from '@mmllm/nn';
import { type ModelProcessorFactory, modelProcessorFromHuggingFace } from '@mmllm/processors';
import { composeSystem } from '../system';
import { systemOf } from '../systems';
import { hasProcessorFiles, readFiles } from './files';
import { type ModelPlace, openPlace, type PlaceOptions } from './place';
import { PublishedModel } from './published-model';

export interface LoadModelOptions extends PlaceOptions {
  /**
   * What the weights of encoder and decoder are held as. All but `float32` cannot be trained; projector and fusion stay
   * float32. Default `float32`.
   */
  readonly dtype?: WeightType;
  /** In place of the one that the files describe. `false`: none. */
  readonly processor?: ProcessorFactory | false;
  readonly onProgress?: (progress: LoadProgress) => void;
}

/**
 * Loads a published model: `config.json` says which system it is, and the files beside it how it reads text and pictures
 * and how it answers. A backend must run (`startBackend`).
 *
 * @throws ConfigError for a system, a part or a value outside the known set, and for files that contradict each other.
 * @throws CheckpointError, DownloadError for a file that is missing, broken or cannot be fetched.
 * @throws WeightError for a tensor that is missing, that nobody wants, or of another shape.
 */
export async function loadModel(place: ModelPlace, options: LoadModelOptions = {}): Promise<PublishedModel> {
  const { dtype = 'float32', signal, onProgress } = options;
  const folder = await openPlace(place, options);
  try {
    const config = await folder.config();
    const system = systemOf(config);
    const weights = await folder.weights();
    const described = system.fromShapes?.(config, (key) => shapeIn(weights, key)) ?? config;
    const own = options.processor === undefined ? await processorOf(folder) : undefined;
    const processor = options.processor || own;
    const { model, names, imageTokenId } = await composeSystem(system, described, {
      processor,
      preprocessing: own?.preprocessing,
    });
    checkImageToken(imageTokenId, own);
    const said = await folder.generationConfig();
    const parts = {
      encoder: model.encoder,
      projector: model.projector,
      fusion: model.fusion,
      decoder: model.decoder,
      generator: model.generator,
      processor: processor ? model.processor : undefined,
      generation: said && generationFromHuggingFace(said),
    };
    const files = await readFiles(folder);
    const published = new PublishedModel(parts, { system, config, names, imageTokenId, files });
    if (dtype !== 'float32') {
      if (model.encoder) await holdWeights(model.encoder, dtype, { signal });
      await holdWeights(model.decoder, dtype, { signal });
    }
    try {
      await loadWeights(published, weights, names, { signal, onProgress });
    } catch (error) {
      published.dispose();
      throw error;
    }
    return published;
  } finally {
    await folder.close();
  }
}

const shapeIn = (weights: WeightSource, key: string) =>
  [...weights.keys()].includes(key) ? weights.shape(key) : undefined;

/** The processor that the files describe, if there are any. */
async function processorOf(folder: ModelFolder): Promise<ModelProcessorFactory | undefined> {
  return hasProcessorFiles(folder) ? await modelProcessorFromHuggingFace(folder) : undefined;
}

/** @throws ConfigError where tokenizer and configuration name different image tokens. */
function checkImageToken(imageTokenId: number, processor: ModelProcessorFactory | undefined): void {
  if (!processor || imageTokenId < 0 || processor.imageTokenId === imageTokenId) return;
  throw new ConfigError({
    component: 'tokenizer.json',
    expected: `'${processor.imageToken}' with the id ${imageTokenId} that config.json names`,
    actual: `the id ${processor.imageTokenId}`,
  });
}
