import { type JsonObject, type NameMap, prefixMap } from '@mmllm/checkpoints';
import type { Decoder } from '@mmllm/core';
import { ariaMoe } from '@mmllm/decoders/aria-moe';
import { emu3 } from '@mmllm/decoders/emu3';
import { gemma } from '@mmllm/decoders/gemma';
import { llama } from '@mmllm/decoders/llama';
import { mistral } from '@mmllm/decoders/mistral';
import { persimmon } from '@mmllm/decoders/persimmon';
import { qwen2 } from '@mmllm/decoders/qwen2';
import { partOf } from './part-of';
import { type Family, type Wired, wired } from './wired';

/** A decoder as its own `config.json` describes it, shape-only. */
export type DecoderReader = (json: JsonObject) => Wired<Decoder>;

const reader =
  <Config>(family: Family<Config, Decoder>): DecoderReader =>
  (json) =>
    wired(family, json);

/** Decoders by the `model_type` of their configuration. */
export const decoders: Readonly<Record<string, DecoderReader>> = {
  aria_text: reader(ariaMoe),
  emu3_text_model: reader(emu3),
  gemma: reader(gemma),
  llama: reader(llama),
  mistral: reader(mistral),
  persimmon: reader(persimmon),
  qwen2: reader(qwen2),
  qwen2_vl_text: reader(qwen2),
};

export interface DecoderPlace {
  /** Its part of the model's `config.json`. Default `text_config`. */
  readonly key?: string;
  /** Its `model_type` where the file says none. */
  readonly usual: string;
  /** What stands before its names in the file. Default `language_model`. */
  readonly prefix?: string;
}

/** The decoder of a whole model. @throws ConfigError for a kind or a value outside the known set. */
export function decoderOf(
  json: JsonObject,
  { key = 'text_config', usual, prefix = 'language_model' }: DecoderPlace,
): Wired<Decoder> {
  const [read, text] = partOf(json, key, decoders, usual);
  // What the whole model says of its embedding goes before what its decoder would say alone.
  const tied = json.tie_word_embeddings ?? text.tie_word_embeddings;
  const { part, names } = read(tied === undefined ? text : { ...text, tie_word_embeddings: tied });
  return { part, names: prefixMap(names, { theirs: prefix }) };
}

/** The names of a decoder whose layers, but not its head, stand below `model.language_model` in the file. */
export const besideHead = ({ rules, ignore }: NameMap): NameMap => {
  const moved = (name: string) => name.replace(/^model\./, 'model.language_model.');
  return {
    rules: rules.map((rule) => ({ ...rule, theirs: moved(rule.theirs) })),
    ignore: ignore?.map(moved),
  };
};
