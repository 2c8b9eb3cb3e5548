import { ConfigError, type Decoder, parseConfig } from '@mmllm/core';
import { buildDecoder, type DecoderPlan } from '../shared/build';
import { gatedLayers } from '../shared/gated';
import { type LlamaConfig, llamaSchema } from './config';

/** A decoder in the LLaMA layout, also for families that add to it. @param name of the family, for messages */
export function buildLlama(
  name: string,
  config: LlamaConfig,
  plan: Partial<Pick<DecoderPlan, 'mlp' | 'routingLosses'>> = {},
): Decoder {
  const parsed = parseConfig(name, llamaSchema, config);
  const { attentionBias, mlpBias, numExtraEmbeddings, tieWordEmbeddings } = parsed;
  checkExtraEmbeddings(name, numExtraEmbeddings, tieWordEmbeddings);
  return buildDecoder(parsed, {
    name,
    ...gatedLayers(parsed, { bias: mlpBias }),
    attention: { qkvBias: attentionBias, outBias: attentionBias },
    numExtraEmbeddings,
    ...plan,
  });
}

/** @throws ConfigError if the head would have rows for them. */
export function checkExtraEmbeddings(name: string, count: number, isTied: boolean): void {
  if (!isTied || count === 0) return;
  throw new ConfigError({
    component: `${name}.numExtraEmbeddings`,
    expected: '0 where the embedding is the head as well',
    actual: `${count}`,
  });
}
