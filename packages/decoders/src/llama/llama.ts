import type { NameMap } from '@mmllm/checkpoints';
import { ConfigError, type Decoder, normal, parseConfig } from '@mmllm/core';
import { Attention, Embedding, GatedMlp, gatedMlpSize, Linear, RmsNorm, TransformerBlock } from '@mmllm/nn';
import { TransformerDecoder } from '../shared/decoder';
import { type LlamaConfig, llamaConfigFromHuggingFace, llamaSchema } from './config';
import { llamaNames } from './names';

/**
 * A decoder in the LLaMA layout (Touvron et al. 2023, arXiv:2302.13971): pre-norm blocks with RMSNorm, rotary
 * positions, SwiGLU, and grouped-query attention where asked for. Born shape-only.
 * @throws ConfigError for values outside their range, or heads that do not divide.
 */
function build(config: LlamaConfig): Decoder {
  const parsed = parseConfig('llama', llamaSchema, config);
  const { vocabSize, hiddenSize, numLayers, numHeads, maxLength, rmsNormEps, attentionBias } = parsed;
  const { headSize = hiddenSize / numHeads, intermediateSize = gatedMlpSize(hiddenSize) } = parsed;
  if (headSize % 2 !== 0) {
    throw new ConfigError({
      component: 'llama',
      expected: 'an even head size (default: hiddenSize / numHeads)',
      actual: `${headSize}`,
    });
  }
  if (parsed.tieWordEmbeddings && parsed.numExtraEmbeddings > 0) {
    throw new ConfigError({
      component: 'llama.numExtraEmbeddings',
      expected: '0 where the embedding is the head as well',
      actual: `${parsed.numExtraEmbeddings}`,
    });
  }
  const initializer = normal(parsed.initializerRange);
  const norm = () => new RmsNorm(hiddenSize, { eps: rmsNormEps });
  const block = () =>
    new TransformerBlock({
      attentionNorm: norm(),
      selfAttention: new Attention({
        hiddenSize,
        numHeads,
        numKeyValueHeads: parsed.numKeyValueHeads,
        headSize,
        qkvBias: attentionBias,
        outBias: attentionBias,
        initializer,
      }),
      mlpNorm: norm(),
      mlp: new GatedMlp({
        hiddenSize,
        intermediateSize,
        activation: 'silu',
        bias: parsed.mlpBias,
        initializer,
      }),
    });
  return new TransformerDecoder({
    name: 'llama',
    hiddenSize,
    vocabSize,
    maxLength,
    embedTokens: new Embedding(
      vocabSize + parsed.numExtraEmbeddings,
      hiddenSize,
      normal(parsed.embeddingRange ?? parsed.initializerRange),
    ),
    layers: Array.from({ length: numLayers }, block),
    norm: norm(),
    head: parsed.tieWordEmbeddings
      ? undefined
      : new Linear(hiddenSize, vocabSize, { bias: false, initializer }),
    rotary: { dim: headSize, theta: parsed.ropeTheta, scaling: parsed.ropeScaling },
  });
}

/** How the decoder is written in Hugging Face's format, as `LlamaForCausalLM`. */
const checkpoint = {
  /**
   * Our configuration from a parsed `config.json`.
   * @throws ConfigError for a value that is outside the known set.
   */
  config: llamaConfigFromHuggingFace,
  /** The names of the parameters in a file, for `loadWeights` and `saveWeights`. */
  names: (): NameMap => llamaNames,
};

export const llama = Object.assign(build, { checkpoint });
