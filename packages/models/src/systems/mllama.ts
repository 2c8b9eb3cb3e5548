import { prefixMap } from '@mmllm/checkpoints';
import { layersSchema, sizeSchema as size } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { crossAttention } from '@mmllm/fusion-cross-attn';
import { linear } from '@mmllm/projectors';
import { mllama as tower } from '@mmllm/vision-encoders/mllama';
import { z } from 'zod';
import { readConfig } from '../parts/config';
import { crossLayerNames } from '../parts/cross-attention';
import { renumbered } from '../parts/layers';
import { allBut, published } from '../parts/published';
import { wired } from '../parts/wired';
import type { System } from '../system';

/** Its layers are the decoder's and the cross-attention layers together. */
const textSchema = z.looseObject({
  model_type: z.literal('mllama_text_model').default('mllama_text_model'),
  num_hidden_layers: layersSchema.default(40),
  cross_attention_layers: z.array(z.int().nonnegative()).nonempty().default([3, 8, 13, 18, 23, 28, 33, 38]),
  num_attention_heads: size.default(32),
  num_key_value_heads: size.default(8),
  intermediate_size: size.default(14_336),
  hidden_size: size.default(4096),
  vocab_size: size.default(128_256),
  max_position_embeddings: size.default(131_072),
  rms_norm_eps: z.number().positive().default(1e-5),
});

const schema = z.looseObject({ text_config: textSchema.prefault({}) });

/** The embedding has rows for the image token and seven more, which are never predicted. */
const EXTRA_EMBEDDINGS = 8;

const language = 'language_model';

/**
 * Llama 3.2 Vision (Grattafiori et al. 2024, arXiv:2407.21783): a tower of tiles, one layer, and gated cross-attention
 * between the layers of a Llama. Tokens that see no picture attend to all of them, as in transformers.
 */
export const mllama: System = {
  name: 'Llama 3.2 Vision',
  modelType: 'mllama',
  wire(json) {
    const { text_config: text } = readConfig(schema, json);
    const cross = [...new Set(text.cross_attention_layers)].sort((a, b) => a - b);
    const own = Array.from({ length: text.num_hidden_layers }, (_, i) => i).filter((i) => !cross.includes(i));
    return {
      encoder: wired(tower, json, ['vision_model', 'model.vision_model']),
      projector: {
        part: linear(),
        names: {
          rules: [
            { ours: 'layers.0.weight', theirs: 'multi_modal_projector.weight', layout: 'linear' },
            { ours: 'layers.0.bias', theirs: 'multi_modal_projector.bias' },
          ],
        },
      },
      fusion: {
        part: crossAttention({
          // Theirs count among all layers, ours name the decoder's layer that follows.
          layers: cross.map((layer, before) => layer - before),
          numHeads: text.num_attention_heads,
          numKeyValueHeads: text.num_key_value_heads,
          intermediateSize: text.intermediate_size,
          rmsNormEps: text.rms_norm_eps,
          sees: 'latest',
          blind: 'attend',
        }),
        names: {
          rules: cross.flatMap((layer, i) =>
            crossLayerNames(`layers.${i}`, `${language}.model.layers.${layer}`),
          ),
        },
      },
      decoder: {
        part: llama({
          ...llama.checkpoint.config({ ...text, model_type: 'llama' }),
          numLayers: own.length,
          numExtraEmbeddings: EXTRA_EMBEDDINGS,
        }),
        names: prefixMap(renumbered(llama.checkpoint.names(), own), { theirs: language }),
      },
    };
  },
  // The text model stays as it was, so that it answers texts as before.
  stages: ['pretrain', 'anneal', 'sft'].map((name) =>
    published({ name, policy: allBut('decoder'), from: 'arXiv:2407.21783, section 7' }),
  ),
};
