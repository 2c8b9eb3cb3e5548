import { type Decoder, normal } from '@mmllm/core';
import { GatedMlp, gatedMlpSize, MoeMlp } from '@mmllm/nn';
import { buildLlama } from '../llama/build';
import type { DecoderCheckpoint } from '../shared/config';
import { type Mm15Config, mm15ConfigFromFile, parseExperts } from './config';
import { mm15Names } from './names';

/**
 * The decoder of MM1.5 (Zhang et al. 2024, arXiv:2409.20566): dense, or with experts in every second layer, of which each
 * token takes two, weighted by their shares of the softmax over all. Forward passes return the losses `balance` and `z`
 * when asked. The paper leaves the layers open; they are those of LLaMA. Born shape-only.
 * @throws ConfigError for values outside their range, or heads that do not divide.
 */
function build({ experts, ...config }: Mm15Config): Decoder {
  if (!experts) return buildLlama('mm1.5', config);
  const { layers, numExperts, numExpertsPerToken, balanceLoss, zLoss } = parseExperts(
    experts,
    config.numLayers,
  );
  const { hiddenSize, intermediateSize = gatedMlpSize(hiddenSize), activation = 'silu' } = config;
  const initializer = normal(config.initializerRange ?? 0.02);
  const shared = { hiddenSize, intermediateSize, activation, initializer };
  return buildLlama('mm1.5', config, {
    mlp: (layer) =>
      layers.includes(layer)
        ? new MoeMlp({
            ...shared,
            numExperts,
            numExpertsPerToken,
            routing: { softmax: 'all', normalize: true },
          })
        : new GatedMlp({ ...shared, bias: config.mlpBias }),
    routingLosses: { balance: balanceLoss, z: zLoss },
  });
}

/** The names of the reference that stands in for the paper's missing code: those of LLaMA, with experts one by one. */
const checkpoint = {
  config: mm15ConfigFromFile,
  names: () => mm15Names,
} satisfies DecoderCheckpoint<Mm15Config>;

export const mm15 = Object.assign(build, { checkpoint });
