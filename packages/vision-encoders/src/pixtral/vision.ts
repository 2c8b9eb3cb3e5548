import { ConfigError, normal, parseConfig, sideSchema } from '@mmllm/core';
import { Attention, GatedMlp, RmsNorm, ropeFrequencies, TransformerBlock } from '@mmllm/nn';
import { z } from 'zod';
import type { TowerCheckpoint } from '../shared/checkpoint';
import { layersFrom, positiveInteger } from '../shared/config';
import { type PackedConfig, packedKeys, packedPreprocessing } from '../shared/packed-config';
import { PackedTransformer } from '../shared/packed-transformer';
import { pixtralFromHuggingFace } from './hugging-face';
import { pixtralNames } from './names';

export interface PixtralConfig extends PackedConfig {
  /** Channels of a head, a multiple of four. Default hiddenSize / numHeads. */
  headSize?: number;
  /** Of the gate. Default `silu`, as Pixtral-12B has it; transformers' class falls back to `gelu`. */
  activation?: PackedConfig['activation'];
  /** Longest side of a picture in pixels: larger ones are shrunk. Default 1024. */
  imageSize?: number;
  /** Side of a patch in pixels. Default 16. */
  patchSize?: number;
  /** Side, in patches, of the blocks that a projector merges, as in Mistral Small 3.1. Default 1: none. */
  mergeSize?: number;
}

const schema = z.strictObject({
  ...packedKeys({ activation: 'silu', patchSize: 16, mergeSize: 1 }),
  headSize: positiveInteger.optional(),
  imageSize: sideSchema.default(1024),
});

/** Fixed in the published code. */
const NORM_EPS = 1e-5;

const checkpoint: TowerCheckpoint<PixtralConfig> = { config: pixtralFromHuggingFace, names: pixtralNames };

function build(config: PixtralConfig): PackedTransformer {
  const parsed = parseConfig('pixtral', schema, config);
  const { hiddenSize, numHeads, numLayers, patchSize, imageSize } = parsed;
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
    preprocessing: packedPreprocessing(parsed, { rule: 'longestEdge', longestEdge: imageSize }),
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
