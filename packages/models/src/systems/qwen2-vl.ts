import type { JsonObject } from '@mmllm/checkpoints';
import { patchMerger } from '@mmllm/projectors';
import { qwen2Vl as tower } from '@mmllm/vision-encoders/qwen2-vl';
import { decoderOf } from '../parts/decoders';
import { inText } from '../parts/fusion';
import { everything, only, published } from '../parts/published';
import { wired } from '../parts/wired';
import type { System } from '../system';

/** How the pairs of a head are shared by time, row and column, in every published size; a file need not say it. */
const sections = [16, 24, 24];

function withSections({ rope_parameters: rope, ...text }: JsonObject): JsonObject {
  if (text.rope_scaling) return { ...text, ...(rope ? { rope_parameters: rope } : {}) };
  return { ...text, rope_parameters: { mrope_section: sections, ...(rope as object | undefined) } };
}

const summary = 'a summary of arXiv:2409.12191';

/** Qwen2-VL (Wang et al. 2024, arXiv:2409.12191): a tower for any size, blocks of patches merged, positions of three axes. */
export const qwen2Vl: System = {
  name: 'Qwen2-VL',
  modelType: 'qwen2_vl',
  wire(json) {
    // Older files have the decoder's keys beside those of the whole.
    const text = (json.text_config ?? { ...json, model_type: 'qwen2_vl_text' }) as JsonObject;
    return {
      encoder: wired(tower, json),
      projector: wired(patchMerger, json),
      fusion: inText({ positions: 'grid' }),
      decoder: decoderOf(
        { ...json, text_config: withSections(text) },
        { usual: 'qwen2_vl_text', prefix: '' },
      ),
    };
  },
  // The reference's tower holds the merger, which is our projector.
  stages: [
    published({ name: 'vision', policy: only('encoder', 'projector'), from: summary }),
    published({ name: 'joint', policy: everything, from: summary }),
    published({ name: 'instruct', policy: only('decoder'), from: summary }),
  ],
};
