import {
  type DecoderInputs,
  disposeImages,
  type ModelInputs,
  MultimodalModel,
  type Sample,
} from '@mmllm/core';
import { type FreezePolicy, train } from '@mmllm/trainer';
import { type BatchSizes, batchOf, type PictureText, SizeProcessor, samplesOf } from './batch';
import type { CountingBackend, Peak } from './counting';

/** What a step takes. */
export interface StepCost {
  readonly peak: Peak;
  /** Bytes that the pass forward leaves for the pass back, weights and state of the optimiser included. */
  readonly kept: number;
  /** Of keys and values, in bytes. */
  readonly kvCache: number;
  readonly flops: { readonly forward: number; readonly backward: number };
}

export interface TrainingSettings {
  readonly policy: FreezePolicy;
  readonly gradientCheckpointing?: boolean;
}

/** One step of the trainer itself, on a model that is filled shape-only. */
export async function trainingStep(
  { meter }: CountingBackend,
  model: MultimodalModel,
  text: PictureText,
  sizes: BatchSizes,
  { policy, gradientCheckpointing }: TrainingSettings,
): Promise<StepCost> {
  const processor = new SizeProcessor((samples: readonly Sample[]) =>
    batchOf(model, { ...sizes, batch: samples.length }, text),
  );
  const trained = new MultimodalModel({ ...partsOf(model), processor });
  const stage = { name: 'plan', policy, data: samplesOf(sizes), steps: 1, batchSize: sizes.batch };
  meter.reset();
  // Kept features are the user's choice and come on top.
  await train(trained, { stages: [{ ...stage, gradientCheckpointing }], featureCacheBytes: 0 });
  return {
    peak: meter.peak,
    kept: meter.kept,
    kvCache: 0,
    flops: {
      forward: meter.flops('prepare', 'forward'),
      backward: meter.flops('backward', 'update'),
    },
  };
}

/** A prompt of all tokens but one, and the token behind it. The cache has what is fed in, which the last token never is. */
export async function inferenceStep(
  backend: CountingBackend,
  model: MultimodalModel,
  text: PictureText,
  sizes: BatchSizes,
): Promise<StepCost> {
  const { meter } = backend;
  meter.reset();
  const { labels: _, images, ...prompt } = batchOf(model, { ...sizes, length: sizes.length - 1 }, text);
  const fused = fuse(model, { ...prompt, images });
  try {
    const before = backend.bytes;
    for await (const _ of model.decoder.generate(fused, { maxNewTokens: 1 })) {
      const kvCache = backend.bytes - before;
      return { peak: meter.peak, kept: 0, kvCache, flops: { forward: meter.flops('prepare'), backward: 0 } };
    }
    throw new Error('a generation without a token');
  } finally {
    fused.embeddings.dispose();
    fused.dispose?.();
  }
}

/** The pictures are needed no longer once they are encoded. */
function fuse(model: MultimodalModel, inputs: ModelInputs): DecoderInputs {
  try {
    return model.fuse(inputs);
  } finally {
    if (inputs.images) disposeImages(inputs.images);
  }
}

const partsOf = ({ encoder, projector, fusion, decoder, generator }: MultimodalModel) => ({
  encoder,
  projector,
  fusion,
  decoder,
  generator,
});
