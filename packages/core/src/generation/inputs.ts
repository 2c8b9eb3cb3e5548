import type { DecoderInputs, GenerateOptions, ModelInputs, Sample, TextInputs } from '../contracts';
import { disposeImages } from '../contracts';
import { ShapeError } from '../errors';
import type { MultimodalModel } from '../model';
import { picturesOf, tokensWithPictures } from './pictures';

/** A conversation or prompt, or what a decoder takes: ids, or embeddings with their positions. */
export type GenerationInput = Sample | TextInputs | DecoderInputs;

/** What a decoder takes, and what frees it where it was made here. */
export interface PreparedInput {
  readonly inputs: DecoderInputs | TextInputs;
  dispose(): void;
}

const isSample = (input: GenerationInput): input is Sample => 'messages' in input || 'prompt' in input;

/** One input, or several samples as a batch. @throws ShapeError for several that are not samples. */
export async function prepareInputs(
  model: MultimodalModel,
  inputs: readonly GenerationInput[],
  signal?: AbortSignal,
): Promise<PreparedInput> {
  const samples = inputs.filter(isSample);
  if (samples.length < inputs.length) {
    if (inputs.length === 1) return { inputs: inputs[0] as DecoderInputs | TextInputs, dispose: () => {} };
    throw new ShapeError({
      component: 'model.generateAll',
      expected: 'samples; ids and embeddings are batches themselves',
      actual: `${inputs.length - samples.length} of ${inputs.length} that are none`,
    });
  }
  const processed = await model.processor.process(samples, { padding: 'left', signal });
  const fused = fuseAndFree(model, processed, samples);
  return {
    inputs: fused,
    dispose: () => {
      fused.embeddings.dispose();
      fused.dispose?.();
    },
  };
}

/** Tokens of each sequence, padding included. */
export const lengthOf = (inputs: DecoderInputs | TextInputs): number =>
  'embeddings' in inputs ? inputs.embeddings.shape[1] : inputs.ids.shape[1];

export const batchOf = (inputs: DecoderInputs | TextInputs): number =>
  'embeddings' in inputs ? inputs.embeddings.shape[0] : inputs.ids.shape[0];

/** The pictures are needed no longer once they are encoded; also when the fusion refuses. */
function fuseAndFree(model: MultimodalModel, inputs: ModelInputs, samples: readonly Sample[]): DecoderInputs {
  try {
    return { ...model.fuse(inputs), tokens: tokensWithPictures(model, inputs, samples.flatMap(picturesOf)) };
  } finally {
    if (inputs.images) disposeImages(inputs.images);
  }
}

/** `GenerateOptions` where text and pictures are known. */
export interface ModelGenerateOptions extends Omit<GenerateOptions, 'guidance'> {
  /** Texts that end an answer; they are not part of it. Found also where tokens cut them. */
  readonly stop?: readonly string[];
  /** Classifier-free guidance: how far from what the negative conversation makes likely, 1 for not at all. */
  readonly guidance?: { readonly scale: number; readonly negative: GenerationInput };
}
