import { ConfigError, parseConfig, sizeSchema as size } from '@mmllm/core';
import { z } from 'zod';
import { type LlamaConfig, llama } from '../llama';
import { parseHuggingFace } from '../shared/config';

/** Experts in place of the MLP in some layers. */
export interface Mm15Experts {
  /** Default: every second layer, 1, 3, 5, … */
  readonly layers?: readonly number[];
  readonly numExperts: number;
  /** Default 2. */
  readonly numExpertsPerToken?: number;
  /** What the losses of routing count in training. Default 0.01 and 0.001. */
  readonly balanceLoss?: number;
  readonly zLoss?: number;
}

export interface Mm15Config extends LlamaConfig {
  /** Default: none, a dense decoder. */
  readonly experts?: Mm15Experts;
}

const coefficient = z.number().nonnegative();
const layerList = z.array(z.int().nonnegative()).readonly();

const expertsSchema = z.strictObject({
  layers: layerList.optional(),
  numExperts: size,
  numExpertsPerToken: size.default(2),
  balanceLoss: coefficient.default(0.01),
  zLoss: coefficient.default(0.001),
});

/** @throws ConfigError also for layers that there are not. */
export function parseExperts(experts: Mm15Experts, numLayers: number) {
  const parsed = parseConfig('mm1.5.experts', expertsSchema, experts);
  const { layers = Array.from({ length: Math.floor(numLayers / 2) }, (_, i) => 2 * i + 1) } = parsed;
  const unknown = layers.find((layer) => layer >= numLayers);
  if (unknown === undefined) return { ...parsed, layers };
  throw new ConfigError({
    component: 'mm1.5.experts.layers',
    expected: `layers from 0 to ${numLayers - 1}`,
    actual: `${unknown}`,
  });
}

/** The paper has no code: these are the keys of the reference that stands in for it, where they have no values of their own. */
const fileSchema = z.object({
  text_config: z.record(z.string(), z.unknown()).optional(),
  moe_layers: layerList.default([]),
  num_experts: size.optional(),
  num_experts_per_tok: size.default(2),
  router_balance_loss_coef: coefficient.default(0.01),
  router_z_loss_coef: coefficient.default(0.001),
});

/**
 * Reads the decoder's part of the whole model's `config.json`: sizes from its `text_config`, experts from beside it.
 * @throws ConfigError for a value outside the known set.
 */
export function mm15ConfigFromFile(json: Readonly<Record<string, unknown>>): Mm15Config {
  const config = parseHuggingFace('mm1.5', fileSchema, json);
  const decoder = llama.checkpoint.config(config.text_config ?? json);
  if (config.moe_layers.length === 0) return decoder;
  if (config.num_experts === undefined) {
    throw new ConfigError({
      component: 'mm1.5 config.json.num_experts',
      expected: 'their number, since moe_layers names layers that have experts',
      actual: 'nothing',
    });
  }
  return {
    ...decoder,
    experts: {
      layers: config.moe_layers,
      numExperts: config.num_experts,
      numExpertsPerToken: config.num_experts_per_tok,
      balanceLoss: config.router_balance_loss_coef,
      zLoss: config.router_z_loss_coef,
    },
  };
}
