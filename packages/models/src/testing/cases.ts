import { readdirSync, readFileSync } from 'node:fs';
import type { JsonObject } from '@mmllm/checkpoints';

const root = new URL('../../../../fixtures/cases/', import.meta.url);

/** The cases of whole systems, one kind each. */
const KINDS = [
  ...['llava', 'llava-next', 'paligemma', 'fuyu', 'qwen2-vl', 'pixtral', 'internvl', 'nvlm-d', 'molmo'],
  ...['aria', 'mm1.5', 'baichuan-omni', 'mllama', 'nvlm-x', 'nvlm-h', 'janus', 'emu3'],
];

/** Their names, a list for each kind. */
export const systemCases: readonly (readonly string[])[] = KINDS.map((kind) =>
  readdirSync(new URL(`${kind}/`, root)).map((variant) => `${kind}/${variant}`),
);

/** The `config.json` of a case. */
export const caseConfig = (name: string): JsonObject =>
  JSON.parse(readFileSync(new URL(`${name}/model/config.json`, root), 'utf8'));
