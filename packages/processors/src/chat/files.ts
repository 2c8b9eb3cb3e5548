import { ConfigError } from '@mmllm/core';
import type { ChatMessage, RenderOptions } from './message';
import { type JinjaTemplate, jinjaTemplate } from './template';

/** What the files of a model say of its chat template; each may be missing. */
export interface ChatTemplateFiles {
  /** `processor_config.json`, parsed */
  readonly processorConfig?: unknown;
  /** `chat_template.json`, parsed */
  readonly chatTemplateJson?: unknown;
  /** `chat_template.jinja` */
  readonly jinja?: string;
  /** `tokenizer_config.json`, parsed; also has the special tokens that a template spells */
  readonly tokenizerConfig?: unknown;
}

export interface ChatTemplateChoice {
  /** One of several templates. Default: `tool_use` where there is one and tools are given, else `default`. */
  readonly name?: string;
  /** Win over those of the tokenizer's configuration. */
  readonly specialTokens?: Readonly<Record<string, string>>;
}

/**
 * The chat template of a model, from the file that transformers reads it from: `processor_config.json`, else
 * `chat_template.json`, `chat_template.jinja` or `tokenizer_config.json`.
 * @throws ConfigError if there is none, or none of the name.
 * @throws TemplateError for a text that is no template.
 */
export function chatTemplateFromFiles(
  files: ChatTemplateFiles,
  { name, specialTokens }: ChatTemplateChoice = {},
): JinjaTemplate {
  const sources = [
    entry(files.processorConfig, 'chat_template'),
    entry(files.chatTemplateJson, 'chat_template'),
    files.jinja,
    entry(files.tokenizerConfig, 'chat_template'),
  ];
  const templates = named(sources.find((source) => source !== undefined && source !== null));
  const tokens = { ...specialTokensOf(files.tokenizerConfig), ...specialTokens };
  const open = (key: string) => {
    const source = templates.get(key);
    return source === undefined ? undefined : jinjaTemplate(source, tokens);
  };
  const template = open(name ?? 'default');
  if (!template) throw absent(name ?? 'default', [...templates.keys()]);
  const forTools = name === undefined ? open('tool_use') : undefined;
  if (!forTools) return template;
  return {
    source: template.source,
    render: (messages: readonly ChatMessage[], options: RenderOptions = {}) =>
      (options.tools ? forTools : template).render(messages, options),
  };
}

function entry(json: unknown, key: string): unknown {
  return typeof json === 'object' && json !== null && Object.hasOwn(json, key)
    ? (json as Record<string, unknown>)[key]
    : undefined;
}

/** One template, or a list of `{ name, template }`. */
function named(source: unknown): Map<string, string> {
  if (source === undefined) return new Map();
  if (typeof source === 'string') return new Map([['default', source]]);
  const list = Array.isArray(source)
    ? source.map((item) => [entry(item, 'name'), entry(item, 'template')])
    : Object.entries(Object(source));
  const isTemplate = (pair: unknown[]): pair is [string, string] =>
    pair.every((item) => typeof item === 'string');
  if (list.length > 0 && list.every(isTemplate)) return new Map(list);
  throw new ConfigError({
    component: 'chat_template',
    expected: 'a text, or a list of names and templates',
    actual: String(JSON.stringify(source)).slice(0, 80),
  });
}

function absent(name: string, known: readonly string[]): ConfigError {
  return new ConfigError({
    component: 'chat_template',
    expected: `a template '${name}'`,
    actual: known.length > 0 ? `only ${known.join(', ')}` : 'no chat template in the files of the model',
  });
}

/** `bos_token` and its like, as texts or as `{ content }`, and the tokens that a model adds by names of its own. */
function specialTokensOf(config: unknown): Record<string, string> {
  const tokens: Record<string, string> = {};
  const all = [
    ...Object.entries(Object(config)),
    ...Object.entries(Object(entry(config, 'extra_special_tokens'))),
  ];
  for (const [key, value] of all) {
    const content = typeof value === 'string' ? value : entry(value, 'content');
    if (key.endsWith('_token') && typeof content === 'string') tokens[key] = content;
  }
  return tokens;
}
