import { normal } from '@mmllm/core';
import { type Activation, GatedMlp, gatedMlpSize, RmsNorm } from '@mmllm/nn';
import type { z } from 'zod';
import type { DecoderPlan } from './build';
import { activation, type FilledConfig, hiddenAct, positive } from './config';

/** Of a decoder with RMSNorm and a gated MLP. */
export interface GatedConfig {
  /** Default 1e-6. */
  readonly rmsNormEps?: number;
  /** Of the MLP's gate. Default `silu`, of Gemma `gelu_tanh`. */
  readonly activation?: Activation;
}

/** Its keys, for a strict object. */
export const gatedKeys = (usual: Activation = 'silu') => ({
  rmsNormEps: positive.default(1e-6),
  activation: activation.default(usual),
});

/** The same as transformers writes it, whose classes differ in what they take for an absent `rms_norm_eps`. */
export const huggingFaceGated = (usual: { eps?: number; activation?: Activation } = {}) => ({
  rms_norm_eps: positive.default(usual.eps ?? 1e-6),
  hidden_act: hiddenAct(usual.activation),
});

export const gatedFromHuggingFace = (config: {
  rms_norm_eps: number;
  hidden_act: Activation;
}): Required<GatedConfig> => ({ rmsNormEps: config.rms_norm_eps, activation: config.hidden_act });

/** A configuration with every default filled in. */
export type FilledGatedConfig = FilledConfig & z.output<z.ZodObject<ReturnType<typeof gatedKeys>>>;

export interface GatedLayers {
  /** Biases of the MLP's linear layers. Default false. */
  readonly bias?: boolean;
  /** 1 for Gemma's norm, which scales by 1 + weight. Default 0. */
  readonly normOffset?: 0 | 1;
}

/** RMSNorm and a gated MLP in every layer. */
export function gatedLayers(
  config: FilledGatedConfig,
  { bias, normOffset }: GatedLayers = {},
): Pick<DecoderPlan, 'norm' | 'mlp'> {
  const { hiddenSize, rmsNormEps: eps } = config;
  return {
    norm: () => new RmsNorm(hiddenSize, { eps, offset: normOffset }),
    mlp: () => gatedMlp(config, { bias }),
  };
}

/** One gated MLP of a decoder. @param intermediateSize where it differs from the configuration's */
export function gatedMlp(
  config: FilledGatedConfig,
  { bias, intermediateSize = intermediateSizeOf(config) }: { bias?: boolean; intermediateSize?: number } = {},
): GatedMlp {
  const { hiddenSize, activation, initializerRange } = config;
  return new GatedMlp({
    hiddenSize,
    intermediateSize,
    activation,
    bias,
    initializer: normal(initializerRange),
  });
}

/** By default as in Meta's code: 8/3 · hiddenSize, rounded up to a multiple of 256. */
export const intermediateSizeOf = ({ intermediateSize, hiddenSize }: FilledConfig): number =>
  intermediateSize ?? gatedMlpSize(hiddenSize);
