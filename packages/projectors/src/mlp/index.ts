import { layersSchema, type ProjectorFactory, parseConfig, sizeSchema } from '@mmllm/core';
import { ACTIVATIONS, type Activation } from '@mmllm/nn';
import { z } from 'zod';
import { hiddenAct, parseHuggingFace } from '../shared/hugging-face';
import { below, linearNames, type ProjectorCheckpoint, usualPrefixes } from '../shared/names';
import { MlpProjector } from './projector';

export interface MlpConfig {
  /** Default 2. */
  numLayers?: number;
  /** Between the layers. Default `gelu`. */
  activation?: Activation;
  /** Width between the layers. Default: the decoder's. */
  hiddenSize?: number;
  /** Default true. */
  bias?: boolean;
}

const schema = z.strictObject({
  numLayers: layersSchema.default(2),
  activation: z.enum(ACTIVATIONS).default('gelu'),
  hiddenSize: sizeSchema.optional(),
  bias: z.boolean().default(true),
});

const huggingFace = z.object({
  projector_hidden_act: hiddenAct,
  multimodal_projector_bias: z.boolean().default(true),
});

/** As transformers writes LLaVA and Pixtral. */
const checkpoint: ProjectorCheckpoint<MlpConfig> = {
  config(json) {
    const hf = parseHuggingFace('mlp projector', huggingFace, json);
    return { activation: hf.projector_hidden_act, bias: hf.multimodal_projector_bias };
  },
  names: ({ numLayers = 2 }, prefixes = usualPrefixes) =>
    below(
      prefixes,
      Array.from({ length: numLayers }, (_, i) => linearNames(`layers.${i}`, `linear_${i + 1}`)).flat(),
    ),
};

function build(config: MlpConfig = {}): ProjectorFactory {
  const options = parseConfig('mlp projector', schema, config);
  return {
    specVersion: 'projector/v1',
    name: 'mlp',
    build: (sizes) => new MlpProjector({ name: 'mlp', ...options, ...sizes }),
  };
}

/**
 * Layers with an activation between them, as in LLaVA-1.5 (Liu et al. 2023, arXiv:2310.03744). Its parameters are
 * `layers.0.weight`, `layers.0.bias`, ….
 *
 * @throws ConfigError for an unknown key or value.
 */
export const mlp = Object.assign(build, { checkpoint });
