import { rowEnds } from '@mmllm/fusion-unified';
import { inText } from '../parts/fusion';
import type { System } from '../system';
import { llava } from './llava';

/**
 * Pixtral-12B (Agrawal et al. 2024, arXiv:2410.07073): a tower for any size, two layers, Mistral; each row of a picture
 * ends in a token. It has no stages here: how it was trained is not published.
 */
export const pixtral: System = {
  name: 'Pixtral-12B',
  modelType: 'llava',
  accepts: ({ vision_config: vision }) =>
    (vision as { model_type?: unknown } | undefined)?.model_type === 'pixtral',
  wire: (json) => ({
    ...llava.wire(json),
    fusion: inText({ arrangement: rowEnds({ row: '[IMG_BREAK]', last: '[IMG_END]' }) }),
  }),
  stages: [],
};
