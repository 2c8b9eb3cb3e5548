import type { CropsPreprocessing } from '@mmllm/core';
import { molmo as decoder } from '@mmllm/decoders/molmo';
import { overlappingCrops } from '@mmllm/fusion-unified';
import { attentionPooling } from '@mmllm/projectors';
import { molmo as tower } from '@mmllm/vision-encoders/molmo';
import { inText } from '../parts/fusion';
import { wired } from '../parts/wired';
import type { System } from '../system';

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
};
