import { isObject, type JsonObject, refuse } from './file';

/** What `tokenizer_config.json` says. */
export interface TokenizerConfig {
  /** Special tokens by their role, such as `bos_token`. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** All special tokens that it names. */
  readonly special: readonly string[];
  readonly modelMaxLength: number;
  readonly paddingSide: 'left' | 'right';
  readonly truncationSide: 'left' | 'right';
  readonly modelInputNames: readonly string[];
  readonly cleanUp: boolean;
}

const file = 'tokenizer_config.json';

/** Saved where there is no limit: 10³⁰. */
const noLimit = 1e20;

/** Of all classes, since transformers 5. */
const usualInputs = ['input_ids', 'attention_mask'];

/** @throws TokenizerError for a value of another kind. */
export function readConfig(json: JsonObject): TokenizerConfig {
  const { extra_special_tokens: extra, additional_special_tokens: additional } = json;
  const named = [...Object.entries(json), ...(isObject(extra) ? Object.entries(extra) : [])];
  const specialTokens: Record<string, string> = {};
  for (const [role, token] of named) {
    if (!role.endsWith('_token') || role.startsWith('add_')) continue;
    const content = contentOf(token);
    if (content !== undefined) specialTokens[role] = content;
  }
  const lists = [extra, additional].flatMap((list) => (Array.isArray(list) ? list.map(contentOf) : []));
  return {
    specialTokens,
    special: [...Object.values(specialTokens), ...lists].filter((token) => token !== undefined),
    modelMaxLength: lengthOf(json.model_max_length),
    paddingSide: sideOf('padding_side', json),
    truncationSide: sideOf('truncation_side', json),
    modelInputNames: namesOf(json.model_input_names),
    cleanUp: json.clean_up_tokenization_spaces === true,
  };
}

/** A token is text, or an object that holds it. */
function contentOf(token: unknown): string | undefined {
  if (typeof token === 'string') return token;
  return isObject(token) && typeof token.content === 'string' ? token.content : undefined;
}

function lengthOf(length: unknown): number {
  if (length == null) return Number.POSITIVE_INFINITY;
  if (typeof length !== 'number' || !(length >= 1))
    return refuse(`${file}.model_max_length`, 'a length', length);
  return length > noLimit ? Number.POSITIVE_INFINITY : length;
}

function sideOf(key: 'padding_side' | 'truncation_side', json: JsonObject): 'left' | 'right' {
  const side = json[key] ?? 'right';
  return side === 'left' || side === 'right' ? side : refuse(`${file}.${key}`, "'left' or 'right'", side);
}

function namesOf(names: unknown): readonly string[] {
  if (names == null) return usualInputs;
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  return refuse(`${file}.model_input_names`, 'a list of names', names);
}
