import { type Decoder, normal } from '@mmllm/core';
import { MoeMlp } from '@mmllm/nn';
import { buildDecoder } from '../shared/build';
import type { DecoderCheckpoint } from '../shared/config';
import { gatedLayers, gatedMlp } from '../shared/gated';
import { type AriaMoeConfig, ariaMoeConfigFromHuggingFace, parseAriaMoe } from './config';
import { ariaMoeNames } from './names';

/**
 * The decoder of Aria (Li et al. 2024, arXiv:2410.05993): the LLaMA layout with a mixture of small experts in every
 * layer, of which each token takes the few with the largest logits, weighted by the softmax over these; beside them runs
 * one MLP for all. Born shape-only.
 * @throws ConfigError for values outside their range, or heads that do not divide.
 */
function build(config: AriaMoeConfig): Decoder {
  const parsed = parseAriaMoe(config);
  const { hiddenSize, intermediateSize, numExperts, numExpertsPerToken, numSharedExperts } = parsed;
  const shared = () =>
    gatedMlp(parsed, { bias: parsed.mlpBias, intermediateSize: numSharedExperts * intermediateSize });
  return buildDecoder(parsed, {
    name: 'aria-moe',
    ...gatedLayers(parsed),
    attention: { qkvBias: parsed.attentionBias, outBias: parsed.attentionBias },
    mlp: () =>
      new MoeMlp({
        hiddenSize,
        intermediateSize,
        numExperts,
        numExpertsPerToken,
        activation: 'silu',
        sharedExperts: numSharedExperts > 0 ? shared() : undefined,
        initializer: normal(parsed.initializerRange),
      }),
  });
}

/** As `AriaTextForCausalLM`. */
const checkpoint = {
  config: ariaMoeConfigFromHuggingFace,
  names: ariaMoeNames,
} satisfies DecoderCheckpoint<AriaMoeConfig>;

export const ariaMoe = Object.assign(build, { checkpoint });
