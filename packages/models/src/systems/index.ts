import type { JsonObject } from '@mmllm/checkpoints';
import { ConfigError } from '@mmllm/core';
import { z } from 'zod';
import { readConfig } from '../parts/config';
import type { System } from '../system';
import { aria } from './aria';
import { baichuanOmni } from './baichuan-omni';
import { emu3 } from './emu3';
import { fuyu } from './fuyu';
import { internVl } from './internvl';
import { janus } from './janus';
import { llava } from './llava';
import { llavaNext } from './llava-next';
import { mllama } from './mllama';
import { mm15 } from './mm15';
import { molmo } from './molmo';
import { nvlmD } from './nvlm-d';
import { nvlmH } from './nvlm-h';
import { nvlmX } from './nvlm-x';
import { paligemma } from './paligemma';
import { pixtral } from './pixtral';
import { qwen2Vl } from './qwen2-vl';

/** Every system, those first that share a `model_type` and accept only some of its configurations. */
export const systems: readonly System[] = [
  pixtral,
  llava,
  llavaNext,
  paligemma,
  fuyu,
  qwen2Vl,
  internVl,
  nvlmD,
  mm15,
  molmo,
  aria,
  baichuanOmni,
  mllama,
  nvlmX,
  nvlmH,
  janus,
  emu3,
];

/** Names are shown where they are unknown, so nobody may fill the screen with one. */
const schema = z.looseObject({ model_type: z.string().max(100) });

/** The system of a `config.json`. @throws ConfigError for a `model_type` that none has. */
export function systemOf(json: JsonObject): System {
  const { model_type: type } = readConfig(schema, json);
  const found = systems.find(({ modelType, accepts }) => modelType === type && (accepts?.(json) ?? true));
  if (found) return found;
  throw new ConfigError({
    component: 'config.json model_type',
    expected: [...new Set(systems.map(({ modelType }) => modelType))].join(', '),
    actual: `'${type}'`,
  });
}
