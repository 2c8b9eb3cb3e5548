import type { JsonObject } from '@mmllm/checkpoints';
import { composeModel, parseConfig, tokensOfPicture } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import { crossAttention } from '@mmllm/fusion-cross-attn';
import { linear } from '@mmllm/projectors';
import { mllama as tower } from '@mmllm/vision-encoders/mllama';
import { z } from 'zod';
import { type Architecture, decoderComponents } from './architecture';

const size = z.int().positive();

/** `text_config` of `MllamaForConditionalGeneration`: its layers are the decoder's and the cross-attention layers together. */
const textSchema = z.looseObject({
  model_type: z.literal('mllama_text_model').default('mllama_text_model'),
  num_hidden_layers: size.default(40),
  cross_attention_layers: z.array(z.int().nonnegative()).nonempty().default([3, 8, 13, 18, 23, 28, 33, 38]),
  num_attention_heads: size.default(32),
  num_key_value_heads: size.default(8),
  intermediate_size: size.default(14_336),
  hidden_size: size.default(4096),
  vocab_size: size.default(128_256),
  max_position_embeddings: size.default(131_072),
  rms_norm_eps: z.number().positive().default(1e-5),
});

const schema = z.looseObject({ vision_config: z.unknown(), text_config: textSchema.prefault({}) });

/** The embedding has rows for the image token and seven more, which are never predicted. */
const EXTRA_EMBEDDINGS = 8;

/** Llama 3.2 Vision: a tower of tiles, one linear layer, gated cross-attention between the layers of a Llama. */
export async function mllama(json: JsonObject): Promise<Architecture> {
  const { text_config: text } = parseConfig('config.json', schema, json as z.input<typeof schema>);
  const cross = [...text.cross_attention_layers].sort((a, b) => a - b);
  const model = await composeModel(
    {
      encoder: tower(tower.checkpoint.config(json)),
      projector: linear(),
      fusion: crossAttention({
        // Theirs count among all layers, ours name the decoder's layer that follows.
        layers: cross.map((layer, before) => layer - before),
        numHeads: text.num_attention_heads,
        numKeyValueHeads: text.num_key_value_heads,
        intermediateSize: text.intermediate_size,
        rmsNormEps: text.rms_norm_eps,
      }),
      decoder: llama({
        ...llama.checkpoint.config({ ...text, model_type: 'llama' }),
        numLayers: text.num_hidden_layers - cross.length,
        numExtraEmbeddings: EXTRA_EMBEDDINGS,
      }),
    },
    { shapeOnly: true },
  );
  return {
    model,
    components: [
      ['vision', 'encoder.'],
      ['projector', 'projector.'],
      ['cross_attention', 'fusion.'],
      ...decoderComponents('decoder.'),
    ],
    picture: tokensOfPicture(model),
  };
}
