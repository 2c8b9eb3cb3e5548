import type { Decoder } from '@mmllm/core';
import { RmsNorm } from '@mmllm/nn';
import { buildDecoder } from '../shared/build';
import type { DecoderCheckpoint } from '../shared/config';
import { gatedLayers } from '../shared/gated';
import { type MolmoConfig, molmoConfigFromFile, parseMolmo } from './config';
import { molmoNames } from './names';

/**
 * The decoders of Molmo (Deitke et al. 2024, arXiv:2409.17146) in the names of its checkpoints: Qwen2's, or OLMo's with
 * norms behind the branches and over all channels of queries and keys. Born shape-only.
 * @throws ConfigError for values outside their range, or heads that do not divide.
 */
function build(config: MolmoConfig): Decoder {
  const parsed = parseMolmo(config);
  const channelNorm = (channels: number) => new RmsNorm(channels, { eps: parsed.rmsNormEps });
  return buildDecoder(parsed, {
    name: 'molmo',
    ...gatedLayers(parsed),
    attention: { qkvBias: parsed.qkvBias, channelNorm: parsed.channelNorms ? channelNorm : undefined },
    norms: parsed.norms,
    numExtraEmbeddings: parsed.numExtraEmbeddings,
  });
}

/** As `MolmoForCausalLM`, below `model.transformer`. */
const checkpoint = {
  config: molmoConfigFromFile,
  names: molmoNames,
} satisfies DecoderCheckpoint<MolmoConfig>;

export const molmo = Object.assign(build, { checkpoint });
