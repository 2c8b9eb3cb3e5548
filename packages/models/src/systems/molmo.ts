import type { CropsPreprocessing } from '@mmllm/core';
import { molmo as decoder } from '@mmllm/decoders/molmo';
import { overlappingCrops } from '@mmllm/fusion-unified';
import { attentionPooling } from '@mmllm/projectors';
import { type FreezePolicy, trained } from '@mmllm/trainer';
import { molmo as tower } from '@mmllm/vision-encoders/molmo';
import { inText } from '../parts/fusion';
import { published } from '../parts/published';
import { wired } from '../parts/wired';
import type { System } from '../system';

const code = 'allenai/molmo/launch_scripts';

/** Everything learns. What marks padding counts as part of the connector. */
const rates = ({
  connector,
  encoder,
  decoder,
}: Record<'connector' | 'encoder' | 'decoder', number>): FreezePolicy => [
  ['encoder.paddingEmbedding', trained({ learningRate: connector })],
  ['encoder', trained({ learningRate: encoder })],
  ['decoder', trained({ learningRate: decoder })],
  ['**', trained({ learningRate: connector })],
];

/** Molmo (Deitke et al. 2024, arXiv:2409.17146): CLIP over overlapping crops, attention pooling, features added to their tokens. */
export const molmo: System = {
  name: 'Molmo',
  modelType: 'molmo',
  wire(json, preprocessing) {
    const encoder = wired(tower, json);
    const crops = preprocessing?.kind === 'crops' ? preprocessing : encoder.part.preprocessing;
    // The tower of this family wants no other kind.
    const { cropSize, patchSize, overlap } = crops as CropsPreprocessing;
    const arrangement = overlappingCrops({ patches: cropSize.width / patchSize, overlap });
    return {
      encoder,
      projector: wired(attentionPooling, json),
      fusion: inText({ arrangement, join: 'add' }),
      decoder: wired(decoder, json),
    };
  },
  stages: [
    published({
      name: 'caption',
      policy: rates({ connector: 2e-4, encoder: 6e-6, decoder: 2e-5 }),
      batchSize: 128,
      epochs: 4,
      from: code,
    }),
    published({
      name: 'multitask',
      policy: rates({ connector: 5e-6, encoder: 5e-6, decoder: 1e-5 }),
      batchSize: 256,
      steps: 30_000,
      warmupSteps: 200,
      from: code,
    }),
  ],
};
