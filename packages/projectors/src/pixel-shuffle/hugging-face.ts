import { ConfigError, sizeSchema } from '@mmllm/core';
import { z } from 'zod';
import { hiddenAct, parseHuggingFace } from '../shared/hugging-face';
import type { PixelShuffleMlpConfig } from '.';

const COMPONENT = 'pixel-shuffle-mlp';

const eps = z.number().positive();

/** A side of the square from the ratio of sides. */
const factor = z
  .number()
  .positive()
  .default(0.5)
  .transform((ratio, context) => {
    const whole = Math.round(1 / ratio);
    if (whole < 1 || Math.abs(whole * ratio - 1) > 1e-6) {
      context.addIssue({ code: 'custom', message: 'expected one over a whole number' });
    }
    return whole;
  });

const schema = z.object({
  model_type: z.enum(['internvl', 'internvl_chat', 'NVLM_D', 'nvlm_h', 'nvlm_x']).default('internvl'),
  downsample_ratio: factor,
  ps_version: z.string().nullish(),
  projector_hidden_act: hiddenAct,
  projector_hidden_size: sizeSchema.nullish(),
  projector_layer_norm_eps: eps.default(1e-6),
  projector_bias: z.boolean().default(false),
  llm_config: z.object({ intermediate_size: sizeSchema.nullish() }).nullish(),
  projector_config: z
    .discriminatedUnion('model_type', [
      z.object({
        model_type: z.literal('normed_mlp'),
        hidden_size: sizeSchema,
        hidden_act: hiddenAct,
        layer_norm_eps: eps.default(1e-6),
        bias: z.boolean().default(false),
      }),
      z.object({ model_type: z.literal('linear'), bias: z.boolean().default(false) }),
    ])
    .nullish(),
});

type Json = z.output<typeof schema>;

/** `config.json` of InternVL, by transformers or OpenGVLab, and of the three NVLMs. */
export function fromHuggingFace(json: unknown): PixelShuffleMlpConfig {
  const hf = parseHuggingFace(COMPONENT, schema, json);
  checkVersion(hf);
  return { factor: hf.downsample_ratio, ...layersOf(hf) };
}

/** Version 1, OpenGVLab's default, leaves the tokens in the order of columns. */
function checkVersion({ model_type, ps_version }: Json): void {
  const version = ps_version ?? (model_type === 'internvl_chat' ? 'v1' : 'v2');
  if (version === 'v2') return;
  throw new ConfigError({
    component: `${COMPONENT} config.json.ps_version`,
    expected: "'v2'",
    actual: `'${version}'`,
  });
}

function layersOf(hf: Json): PixelShuffleMlpConfig {
  if (hf.model_type === 'internvl' || hf.model_type === 'internvl_chat') {
    return { layerNormEps: 1e-5, activation: hf.projector_hidden_act, bias: true };
  }
  if (hf.model_type === 'NVLM_D') {
    return {
      layerNormEps: hf.projector_layer_norm_eps,
      activation: hf.projector_hidden_act,
      hiddenSize: present(
        hf.projector_hidden_size ?? hf.llm_config?.intermediate_size,
        'projector_hidden_size',
      ),
      bias: hf.projector_bias,
    };
  }
  const projector = present(hf.projector_config, 'projector_config');
  if (projector.model_type === 'linear') return { norm: false, numLayers: 1, bias: projector.bias };
  const { hidden_size: hiddenSize, hidden_act: activation, layer_norm_eps: layerNormEps, bias } = projector;
  return { layerNormEps, activation, hiddenSize, bias };
}

/** @throws ConfigError for a value that the file should have. */
function present<T>(value: T | null | undefined, key: string): T {
  if (value !== null && value !== undefined) return value;
  throw new ConfigError({
    component: `${COMPONENT} config.json.${key}`,
    expected: 'a value',
    actual: 'nothing',
  });
}
