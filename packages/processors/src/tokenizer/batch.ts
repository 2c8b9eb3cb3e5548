import { TokenizerError } from '@mmllm/core';
import type { HostArray } from '../host-array';
import type { TokenizerConfig } from './config';
import { type Encoding, encodingOf } from './encoding';
import { padRows } from './pad-rows';
import type { Pipeline } from './pipeline';
import type { Sequence } from './post-processors';

export interface BatchOptions {
  /** A second text for each, which makes pairs. */
  readonly pairs?: readonly string[];
  /** What the tokenizer puts around a text. Default true. */
  readonly addSpecialTokens?: boolean;
  /** To the longest of the batch, or to `maxLength`. Default: none. */
  readonly padding?: boolean | 'longest' | 'max_length';
  readonly paddingSide?: 'left' | 'right';
  /** Down to `maxLength`, what is put around a text included. Default: not at all. */
  readonly truncation?: boolean;
  readonly truncationSide?: 'left' | 'right';
  /** Default: `modelMaxLength`. */
  readonly maxLength?: number;
  readonly padToMultipleOf?: number;
  /** Default: as `modelInputNames` has it. */
  readonly returnAttentionMask?: boolean;
  readonly returnTokenTypeIds?: boolean;
}

/** Texts of one length; B texts of T tokens. */
export interface TokenBatch {
  /** int32[B, T] */
  readonly input_ids: HostArray<Int32Array>;
  /** int32[B, T]: 1 for tokens, 0 for padding. */
  readonly attention_mask?: HostArray<Int32Array>;
  /** int32[B, T]: 1 for the second text of a pair. */
  readonly token_type_ids?: HostArray<Int32Array>;
  /** Each text's own, truncated but without padding. */
  readonly encodings: readonly Encoding[];
}

/** @throws TokenizerError for lengths that differ without padding, and for padding without a token for it. */
export function batchOf(
  pipeline: Pipeline,
  config: TokenizerConfig,
  texts: readonly string[],
  options: BatchOptions,
): TokenBatch {
  const { pairs } = options;
  if (pairs && pairs.length !== texts.length) {
    refuse(`a second text for each of ${texts.length}`, `${pairs.length}`);
  }
  const encodings = texts.map((text, i) => {
    const all = pairs ? [text, pairs[i]] : [text];
    const sequences = truncated(
      pipeline,
      config,
      all.map((each) => pipeline.tokenize(each)),
      options,
    );
    return encodingOf(pipeline.process(sequences, options.addSpecialTokens ?? true), pipeline.tokenOf);
  });
  const length = paddedLength(config, encodings, options);
  const side = options.paddingSide ?? config.paddingSide;
  const rows = (values: (encoding: Encoding) => ArrayLike<number>, filler: number) =>
    padRows(encodings.map(values), length, filler, side);
  const mask = options.returnAttentionMask ?? config.modelInputNames.includes('attention_mask');
  const types = options.returnTokenTypeIds ?? config.modelInputNames.includes('token_type_ids');
  const isRagged = encodings.some(({ ids }) => ids.length < length);
  return {
    input_ids: rows(({ ids }) => ids, isRagged ? padId(pipeline, config) : 0),
    ...(types && { token_type_ids: rows(({ typeIds }) => typeIds, 0) }),
    ...(mask && { attention_mask: rows(({ ids }) => ids.map(() => 1), 0) }),
    encodings,
  };
}

function paddedLength(
  { modelMaxLength }: TokenizerConfig,
  encodings: readonly Encoding[],
  { padding = false, maxLength = modelMaxLength, padToMultipleOf = 1 }: BatchOptions,
): number {
  const longest = encodings.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  if (padding === false) {
    const shorter = encodings.find(({ ids }) => ids.length < longest);
    if (!shorter) return longest;
    return refuse('texts of one length, or padding', `${shorter.ids.length} and ${longest} tokens`);
  }
  // Without any limit there is nothing to pad to.
  const length =
    padding === 'max_length' && Number.isFinite(maxLength) ? Math.max(maxLength, longest) : longest;
  const padded = Math.ceil(length / padToMultipleOf) * padToMultipleOf;
  if (padded >= length && padded * encodings.length <= mostNumbers) return padded;
  return refuse(`at most ${mostNumbers} numbers in a batch`, `${encodings.length} texts of ${padded}`);
}

/** A gigabyte. */
const mostNumbers = 2 ** 28;

function padId(pipeline: Pipeline, { specialTokens: { pad_token: token } }: TokenizerConfig): number {
  const id = token === undefined ? undefined : pipeline.idOf(token);
  return id ?? refuse('a pad_token in tokenizer_config.json, to pad with', token ?? 'none');
}

/** Cuts texts that are too long together, the longer one first. */
function truncated(
  pipeline: Pipeline,
  config: TokenizerConfig,
  sequences: readonly Sequence[],
  { truncation, truncationSide, maxLength = config.modelMaxLength, addSpecialTokens = true }: BatchOptions,
): readonly Sequence[] {
  if (!truncation || !Number.isFinite(maxLength)) return sequences;
  const around = addSpecialTokens ? pipeline.added(sequences.length > 1) : 0;
  const room = Math.max(0, maxLength - around);
  const lengths = sequences.map(({ ids }) => ids.length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total <= room) return sequences;
  const kept = lengths.length > 1 ? shares(lengths, room) : [room];
  const side = truncationSide ?? config.truncationSide;
  return sequences.map((sequence, i) => cut(sequence, kept[i], side));
}

/** Source: `truncate_encodings` of huggingface/tokenizers, tokenizers/src/utils/truncation.rs, longest first. */
function shares([first, second]: readonly number[], room: number): number[] {
  let short = Math.min(first, second);
  let long = short > room ? short : Math.max(short, room - short);
  if (short + long > room) {
    short = Math.floor(room / 2);
    long = short + (room % 2);
  }
  return first > second ? [long, short] : [short, long];
}

function cut(sequence: Sequence, length: number, side: 'left' | 'right'): Sequence {
  const count = sequence.ids.length;
  if (count <= length) return sequence;
  const [from, end] = side === 'right' ? [0, length] : [count - length, count];
  return {
    ...sequence,
    ids: sequence.ids.slice(from, end),
    types: sequence.types.slice(from, end),
    special: sequence.special.slice(from, end),
    offsets: sequence.offsets.slice(2 * from, 2 * end),
    spaced: new Map([...(sequence.spaced ?? [])].map(([i, text]) => [i - from, text])),
  };
}

function refuse(expected: string, actual: string): never {
  throw new TokenizerError({ component: 'tokenizer', expected, actual });
}
