import { join } from 'node:path';
import { composeMaps, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { composeModel, type ModelInputs, type MultimodalModel, type ProcessorFactory } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { unified } from '@mmllm/fusion-unified';
import { mlp } from '@mmllm/projectors';
import { type FreezePolicy, frozen, type SampleSource, train, trained } from '@mmllm/trainer';
import { clip } from '@mmllm/vision-encoders/clip';
import type { Engine, Setting, TrainStage, Work } from '../engine.ts';
import { type HostTensor, readConfig, readTensors } from '../files.ts';
import { fill } from './fill.ts';
import { pictureBatch } from './pictures.ts';

/** The loss is over the last tokens of each text. */
const NUM_TARGETS = 16;

const POLICIES: Record<TrainStage, FreezePolicy> = {
  full: [['**', trained()]],
  encoder_frozen: [
    ['encoder', frozen],
    ['**', trained()],
  ],
  projector: [
    ['projector', trained()],
    ['**', frozen],
  ],
  projector_cached: [
    ['projector', trained()],
    ['**', frozen],
  ],
};

/** How LLaVA names the two layers of its projector. */
const projectorNames: NameMap = {
  rules: [0, 1].flatMap((layer) => {
    const [ours, theirs] = [`projector.layers.${layer}`, `multi_modal_projector.linear_${layer + 1}`];
    return [
      { ours: `${ours}.weight`, theirs: `${theirs}.weight`, layout: 'linear' },
      { ours: `${ours}.bias`, theirs: `${theirs}.bias` },
    ] as const;
  }),
};

interface Batch {
  readonly pixels: HostTensor;
  readonly ids: HostTensor;
}

/** The small LLaVA, which reads the whole output of its encoder but the class token. */
async function openModel(folder: string, batch: Batch): Promise<MultimodalModel> {
  const json = await readConfig(folder);
  const vision = clip.checkpoint.config(json);
  const model = await composeModel(
    {
      encoder: clip({ ...vision, features: { layers: [-1], norm: false } }),
      projector: mlp(),
      fusion: unified(),
      decoder: llama(llama.checkpoint.config(json.text_config as Record<string, unknown>)),
      processor: readyBatch(batch, Number(json.image_token_index)),
    },
    { shapeOnly: true },
  );
  const names = composeMaps(
    prefixMap(clip.checkpoint.names(vision, 'vision_tower'), { ours: 'encoder' }),
    projectorNames,
    prefixMap(llama.checkpoint.names(), { ours: 'decoder', theirs: 'language_model' }),
  );
  await fill(model, folder, names);
  return model;
}

/** Gives one and the same batch, whatever is asked for; without its pictures if they are known. */
function readyBatch({ pixels, ids }: Batch, imageTokenId: number): ProcessorFactory {
  const [size, length] = ids.shape;
  const data = ids.data as Int32Array;
  const labels = data.map((_, i) => {
    const predicts = (i % length) + 1;
    return predicts >= length - NUM_TARGETS && predicts < length ? data[i + 1] : -100;
  });
  const inputs: ModelInputs = {
    ids: { data, shape: [size, length] },
    imageTokenId,
    imagesPerSample: new Array(size).fill(1),
    labels,
  };
  const nothing = () => {
    throw new Error('the batch is ready');
  };
  return {
    specVersion: 'processor/v1',
    build: () => ({
      specVersion: 'processor/v1',
      tokenizer: { vocabSize: 0, encode: nothing, decode: nothing, tokenId: nothing },
      stopIds: [],
      process: async (_, { known }) =>
        samplesOf(size).every((sample) => known?.(sample.images[0]))
          ? inputs
          : { ...inputs, images: pictureBatch(pixels) },
      prepareImages: nothing,
    }),
  };
}

/** One for each picture; the processor has their texts. */
const samplesOf = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ prompt: '', images: [`picture ${i}`] }));

/** The samples in this order, whatever the shuffled one asks for. */
function inOrder<S>(samples: readonly S[]): SampleSource<S> {
  let taken = 0;
  return { length: samples.length, get: () => samples[taken++ % samples.length] };
}

export async function openTrain(
  { model: name, stage }: Extract<Work, { kind: 'train' }>,
  { models }: Setting,
): Promise<Engine> {
  const folder = join(models, name);
  const tensors = await readTensors(join(folder, 'batch.safetensors'));
  const batch = { pixels: tensors('pixel_values'), ids: tensors('input_ids') };
  const model = await openModel(folder, batch);
  const batchSize = batch.ids.shape[0];
  const run = train(model, {
    stages: [
      {
        name: 'benchmark',
        policy: POLICIES[stage],
        data: inOrder(samplesOf(batchSize)),
        steps: Number.MAX_SAFE_INTEGER,
        schedule: 'constant',
        warmupSteps: 0,
        learningRate: 1e-4,
        weightDecay: 0,
        clipNorm: Number.POSITIVE_INFINITY,
      },
    ],
    batchSize,
    featureCacheBytes: stage === 'projector_cached' ? undefined : 0,
  });
  const steps = run[Symbol.asyncIterator]();
  return {
    async run() {
      const { value } = await steps.next();
      return { values: () => [value.loss] };
    },
  };
}
