import { ConfigError, layersSchema, normal, parseConfig } from '@mmllm/core';
import { type Activation, Attention, GatedMlp, RmsNorm, ropeFrequencies, TransformerBlock } from '@mmllm/nn';
import { z } from 'zod';
import type { TowerCheckpoint } from '../shared/checkpoint';
import {
  activation,
  layersFrom,
  type NormalisationConfig,
  normalisation,
  positiveInteger,
  positiveNumber,
} from '../shared/config';
import { PackedTransformer } from '../shared/packed-transformer';
import { clipPixels } from '../shared/preprocessing';
import { pixtralFromHuggingFace } from './hugging-face';
import { pixtralNames } from './names';

export interface PixtralConfig {
  hiddenSize: number;
  numLayers: number;
  numHeads: number;
  /** Channels of a head, a multiple of four. Default hiddenSize / numHeads. */
  headSize?: number;
  /** Default 4 · hiddenSize. */
  intermediateSize?: number;
  /** Of the gate. Default `silu`, as Pixtral-12B has it; transformers' class falls back to `gelu`. */
  activation?: Activation;
  /** Longest side of a picture in pixels: larger ones are shrunk. Default 1024. */
  imageSize?: number;
  /** Side of a patch in pixels. Default 16. */
  patchSize?: number;
  /** Side, in patches, of the blocks that a projector merges, as in Mistral Small 3.1. Default 1: none. */
  mergeSize?: number;
  /** Default 10 000. */
  ropeTheta?: number;
  /** Layers whose outputs are the features; 0 is the input of the first block, −1 the last output. Default [-1]. */
  features?: { layers: number[] };
  /** Of the pixels, where it differs from CLIP's mean and std. */
  normalisation?: NormalisationConfig;
  /** Standard deviation of all first weights. Default 0.02. */
  initializerRange?: number;
}

const schema = z.strictObject({
  hiddenSize: positiveInteger,
  numLayers: layersSchema,
  numHeads: positiveInteger,
  headSize: positiveInteger.optional(),
  intermediateSize: positiveInteger.optional(),
  activation: activation.default('silu'),
  imageSize: positiveInteger.default(1024),
  patchSize: positiveInteger.default(16),
  mergeSize: positiveInteger.default(1),
  ropeTheta: positiveNumber.default(10_000),
  features: z.strictObject({ layers: z.array(z.int()).min(1) }).default({ layers: [-1] }),
  normalisation: normalisation.optional(),
  initializerRange: positiveNumber.default(0.02),
});

/** Fixed in the published code. */
const NORM_EPS = 1e-5;

const checkpoint: TowerCheckpoint<PixtralConfig> = { config: pixtralFromHuggingFace, names: pixtralNames };

function build(config: PixtralConfig): PackedTransformer {
  const parsed = parseConfig('pixtral', schema, config);
  const { hiddenSize, numHeads, numLayers, patchSize, imageSize, mergeSize } = parsed;
  const { intermediateSize = 4 * hiddenSize, headSize = hiddenSize / numHeads } = parsed;
  if (headSize % 4 !== 0) {
    throw new ConfigError({
      component: 'pixtral.headSize',
      expected: 'a multiple of four',
      actual: `${headSize}`,
    });
  }
  const initializer = normal(parsed.initializerRange);
  const norm = () => new RmsNorm(hiddenSize, { eps: NORM_EPS });
  const frequencies = ropeFrequencies({ dim: headSize, theta: parsed.ropeTheta });
  return new PackedTransformer({
    name: 'pixtral',
    hiddenSize,
    preprocessing: {
      kind: 'packed',
      patchSize,
      multiple: patchSize * mergeSize,
      size: { rule: 'longestEdge', longestEdge: imageSize },
      resample: 'bicubic',
      ...clipPixels,
      ...parsed.normalisation,
    },
    layers: layersFrom('pixtral', parsed.features.layers, numLayers),
    maxSide: Math.floor(imageSize / patchSize),
    // Rows turn by the even ones of a head's frequencies, columns by the odd ones.
    frequencies: {
      rows: frequencies.filter((_, i) => i % 2 === 0),
      columns: frequencies.filter((_, i) => i % 2 === 1),
    },
    initializer,
    preNorm: norm(),
    blocks: Array.from(
      { length: numLayers },
      () =>
        new TransformerBlock({
          attentionNorm: norm(),
          selfAttention: new Attention({
            hiddenSize,
            numHeads,
            headSize,
            qkvBias: false,
            outBias: false,
            initializer,
          }),
          mlpNorm: norm(),
          mlp: new GatedMlp({ hiddenSize, intermediateSize, activation: parsed.activation, initializer }),
        }),
    ),
  });
}

/**
 * The tower of Pixtral (Agrawal et al. 2024, arXiv:2410.07073): pictures of their own size packed one after the other,
 * RMSNorm, gated MLPs, rotary positions of two axes, no biases, no class token, no norm at the end.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const pixtral = Object.assign(build, { checkpoint });
