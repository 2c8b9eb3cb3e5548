import { byteCharacters } from './byte-characters';
import { Fields, isObject, makerOf, refuse } from './file';
import { idOf } from './models/vocabulary';

/** Ids on their way to an encoding; lists of one length, but for `offsets`, which has two for each. */
export interface Sequence {
  readonly ids: readonly number[];
  readonly types: readonly number[];
  /** 1 for what a post-processor added. */
  readonly special: readonly number[];
  readonly offsets: readonly number[];
  /** What the offsets are places in; absent for what a post-processor added. */
  readonly text?: string;
  /** Of added tokens that took white space along: their text with it, by their place in `ids`. */
  readonly spaced?: ReadonlyMap<number, string>;
}

/** How the vocabulary writes an id. */
export type TokenOf = (id: number) => string;

export interface PostProcessor {
  /** How many tokens are put around a text, or around a pair. */
  added(pair: boolean): number;
  /** One sequence, or two, with what is put around them, one after the other. */
  process(sequences: readonly Sequence[], addSpecialTokens: boolean): readonly Sequence[];
}

/**
 * The post-processor that a part of the file describes.
 *
 * Source of all: huggingface/tokenizers, tokenizers/src/processors/.
 *
 * @throws TokenizerError for a kind that is not known.
 */
export function postProcessorOf(fields: Fields, tokenOf: TokenOf): PostProcessor {
  return makerOf(fields, kinds)(fields, tokenOf);
}

const kinds: Record<string, (fields: Fields, tokenOf: TokenOf) => PostProcessor> = {
  BertProcessing: (fields, tokenOf) => aroundOf(fields, tokenOf, 1),
  ByteLevel: byteLevel,
  RobertaProcessing: (fields, tokenOf) => aroundOf(fields, tokenOf, 2),
  Sequence(fields, tokenOf) {
    const all = fields.parts('processors').map((each) => postProcessorOf(each, tokenOf));
    return {
      added: (pair) => all.reduce((sum, each) => sum + each.added(pair), 0),
      process: (sequences, add) => all.reduce((list, each) => each.process(list, add), sequences),
    };
  },
  TemplateProcessing: template,
};

/** What no post-processor does: the second of a pair has type 1. */
export const noPostProcessor: PostProcessor = {
  added: () => 0,
  process: (sequences) => sequences.map((sequence, i) => withType(sequence, i)),
};

const withType = (sequence: Sequence, type: number): Sequence => ({
  ...sequence,
  types: sequence.types.map(() => type),
});

const specialSequence = (ids: readonly number[], type: number): Sequence => ({
  ids,
  types: ids.map(() => type),
  special: ids.map(() => 1),
  offsets: ids.flatMap(() => [0, 0]),
});

/** Tokens and sequences in the order that the file gives. */
function template(fields: Fields): PostProcessor {
  const specials = specialTokensOf(fields);
  const [single, pair] = ['single', 'pair'].map((key) =>
    fields.parts(key).map((piece): TemplatePiece => {
      const { Sequence: sequence, SpecialToken: special } = piece.json;
      if (isObject(sequence)) {
        const part = Fields.of(`${piece.component}.Sequence`, sequence);
        return { type: part.count('type_id', 0), sequence: part.string('id') === 'B' ? 1 : 0 };
      }
      const part = Fields.of(`${piece.component}.SpecialToken`, special);
      const name = part.string('id');
      const tokens = specials.get(name) ?? refuse(part.component, 'one of special_tokens', name);
      return { type: part.count('type_id', 0), tokens };
    }),
  );
  const count = (pieces: readonly TemplatePiece[]) =>
    pieces.reduce((sum, piece) => sum + ('tokens' in piece ? piece.tokens.length : 0), 0);
  return {
    added: (isPair) => count(isPair ? pair : single),
    process: (sequences, add) =>
      (sequences.length > 1 ? pair : single).flatMap((piece) => {
        if ('tokens' in piece) return add ? [specialSequence(piece.tokens, piece.type)] : [];
        const sequence = sequences[piece.sequence];
        return sequence ? [withType(sequence, piece.type)] : [];
      }),
  };
}

type TemplatePiece = { readonly type: number } & (
  | { readonly sequence: number }
  | { readonly tokens: readonly number[] }
);

function specialTokensOf(fields: Fields): ReadonlyMap<string, readonly number[]> {
  const component = `${fields.component}.special_tokens`;
  const { special_tokens: json = {} } = fields.json;
  if (!isObject(json)) return refuse(component, 'a JSON object', json);
  return new Map(
    Object.entries(json).map(([name, value]) => {
      const part = Fields.of(`${component}.${name}`, value);
      return [name, part.list('ids').map((id) => idOf(part.component, id))];
    }),
  );
}

/** `[CLS] A [SEP] B [SEP]`, with as many separators between as the file's kind has. */
function aroundOf(fields: Fields, tokenOf: TokenOf, between: 1 | 2): PostProcessor {
  const [cls, sep] = ['cls', 'sep'].map((key) => [idOf(`${fields.component}.${key}`, fields.list(key)[1])]);
  const trim = between === 2 && fields.flag('trim_offsets', true);
  const prefix = between === 2 && fields.flag('add_prefix_space', true);
  return {
    added: (pair) => (pair ? 2 + between : 2),
    process(sequences, add) {
      const [a, b] = trim ? sequences.map((each) => trimmed(each, tokenOf, prefix)) : sequences;
      const type = between === 1 ? 1 : 0;
      const first = add
        ? [specialSequence(cls, 0), withType(a, 0), specialSequence(sep, 0)]
        : [withType(a, 0)];
      if (!b) return first;
      if (!add) return [...first, withType(b, type)];
      const gap = between === 2 ? [specialSequence(sep, 0)] : [];
      return [...first, ...gap, withType(b, type), specialSequence(sep, type)];
    },
  };
}

/** Takes blanks that belong to a token out of its range. */
function byteLevel(fields: Fields, tokenOf: TokenOf): PostProcessor {
  const trim = fields.flag('trim_offsets', true);
  const prefix = fields.flag('add_prefix_space', true);
  return {
    added: () => 0,
    process: (sequences) =>
      sequences.map((sequence, i) => withType(trim ? trimmed(sequence, tokenOf, prefix) : sequence, i)),
  };
}

const blank = byteCharacters[0x20];
const isBlank = (character: string) => character === blank || /\p{White_Space}/u.test(character);

function trimmed(sequence: Sequence, tokenOf: TokenOf, prefix: boolean): Sequence {
  const offsets = [...sequence.offsets];
  sequence.ids.forEach((id, i) => {
    const characters = [...(sequence.spaced?.get(i) ?? tokenOf(id))];
    const solid = characters.findIndex((character) => !isBlank(character));
    let leading = solid < 0 ? characters.length : solid;
    const trailing = characters.length - 1 - characters.findLastIndex((character) => !isBlank(character));
    const [start, end] = [offsets[2 * i], offsets[2 * i + 1]];
    // One blank in front of the text may have been put there; more cannot.
    if (leading === 1 && prefix && (i === 0 || start === 0)) leading = 0;
    const from = Math.min(forward(sequence.text, start, leading), end);
    offsets[2 * i] = from;
    if (trailing > 0) offsets[2 * i + 1] = Math.max(back(sequence.text, end, trailing), from);
  });
  return { ...sequence, offsets };
}

/** So many characters further on, or before; blanks may belong to a character of two units. */
function forward(text = '', at: number, count: number): number {
  let place = at;
  for (let i = 0; i < count; i++) place += (text.codePointAt(place) ?? 0) > 0xffff ? 2 : 1;
  return place;
}

function back(text = '', at: number, count: number): number {
  let place = at;
  for (let i = 0; i < count; i++) place -= (text.codePointAt(place - 2) ?? 0) > 0xffff ? 2 : 1;
  return place;
}
