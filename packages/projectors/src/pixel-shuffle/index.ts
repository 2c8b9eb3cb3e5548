import { layersSchema, type ProjectorFactory, parseConfig, sizeSchema } from '@mmllm/core';
import { ACTIVATIONS, type Activation } from '@mmllm/nn';
import { z } from 'zod';
import {
  below,
  linearNames,
  normNames,
  type ProjectorCheckpoint,
  type ProjectorNames,
  usualPrefixes,
} from '../shared/names';
import { fromHuggingFace } from './hugging-face';
import { PixelShuffleMlp } from './projector';

export interface PixelShuffleMlpConfig {
  /** Side of the square of tokens that becomes one. Default 2. */
  factor?: number;
  /** A LayerNorm before the first layer. Default true. */
  norm?: boolean;
  /** Default 1e-5. */
  layerNormEps?: number;
  /** Default 2. */
  numLayers?: number;
  /** Width between the layers. Default: the decoder's. */
  hiddenSize?: number;
  /** Between the layers. Default `gelu`. */
  activation?: Activation;
  /** Of the linear layers. Default true. */
  bias?: boolean;
}

const schema = z.strictObject({
  factor: sizeSchema.default(2),
  norm: z.boolean().default(true),
  layerNormEps: z.number().positive().default(1e-5),
  numLayers: layersSchema.default(2),
  hiddenSize: sizeSchema.optional(),
  activation: z.enum(ACTIVATIONS).default('gelu'),
  bias: z.boolean().default(true),
});

/** As transformers writes InternVL. */
const checkpoint: ProjectorCheckpoint<PixelShuffleMlpConfig> = {
  config: fromHuggingFace,
  names: ({ numLayers = 2 }, prefixes = usualPrefixes) =>
    below(prefixes, [
      ...normNames('norm', 'layer_norm'),
      ...(numLayers === 1
        ? linearNames('layers.0', 'linear')
        : Array.from({ length: numLayers }, (_, i) => linearNames(`layers.${i}`, `linear_${i + 1}`)).flat()),
    ]),
};

/** The names in OpenGVLab's and NVIDIA's own files, which count activations too. */
export const pixelShuffleOriginalNames = (
  { numLayers = 2 }: PixelShuffleMlpConfig = {},
  prefixes: string | readonly string[] = 'mlp1',
): ProjectorNames =>
  below(prefixes, [
    ...normNames('norm', '0'),
    ...Array.from({ length: numLayers }, (_, i) => linearNames(`layers.${i}`, `${1 + 2 * i}`)).flat(),
  ]);

function build(config: PixelShuffleMlpConfig = {}): ProjectorFactory {
  const options = parseConfig('pixel-shuffle-mlp', schema, config);
  return {
    specVersion: 'projector/v1',
    name: 'pixel-shuffle-mlp',
    build: (sizes) => new PixelShuffleMlp({ ...options, ...sizes }),
  };
}

/**
 * Pixel shuffle and an MLP, as in InternVL 1.5 (Chen et al. 2024, arXiv:2404.16821) and NVLM (Dai et al. 2024,
 * arXiv:2409.11402): each square of tokens becomes one, their channels side by side in the order (row, column, channel),
 * which is version 2 of InternVL's shuffle. Tokens in front of the grid are left out; its sides must be whole multiples.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const pixelShuffleMlp = Object.assign(build, { checkpoint });
