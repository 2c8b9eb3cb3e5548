import { type Aligned, AlignedBuilder, part } from './aligned';
import { inBytes } from './byte-level';
import { type Fields, makerOf, refuse } from './file';
import { prepended } from './normalizers';
import { type CompileRegex, type FindMatches, matchesOf, patternOf } from './patterns';

/** A stretch of text that is tokenised on its own. */
export interface Piece extends Aligned {
  /** Its bytes are written as characters before the model sees them. */
  readonly inBytes?: boolean;
}

export type PreTokenizer = (piece: Piece) => readonly Piece[];

type Make = (fields: Fields, compile: CompileRegex) => PreTokenizer;

/**
 * The pre-tokenizer that a part of the file describes.
 *
 * Source of all: huggingface/tokenizers, tokenizers/src/pre_tokenizers/.
 *
 * @throws TokenizerError for a kind that is not known.
 */
export function preTokenizerOf(fields: Fields, compile: CompileRegex): PreTokenizer {
  return makerOf(fields, kinds)(fields, compile);
}

const kinds: Record<string, Make> = {
  BertPreTokenizer: () =>
    inTurn(
      splitter(matchesOf(/\p{White_Space}/gu), 'Removed'),
      splitter(matchesOf(/[\p{P}!-/:-@[-`{-~]/gu), 'Isolated'),
    ),
  ByteLevel: byteLevel,
  CharDelimiterSplit(fields) {
    const delimiter = fields.string('delimiter');
    return splitter((text) => matchesOfCharacter(text, delimiter), 'Removed');
  },
  Digits: (fields) =>
    fields.flag('individual_digits', false)
      ? splitter(matchesOf(/\p{N}/gu), 'Isolated')
      : splitter(matchesOf(/\p{N}/gu), 'Contiguous'),
  FixedLength: fixedLength,
  Metaspace: metaspace,
  Punctuation: (fields) => splitter(matchesOf(/[\p{P}!-/:-@[-`{-~]/gu), behaviorOf(fields, 'Isolated')),
  Sequence: (fields, compile) =>
    inTurn(...fields.parts('pretokenizers').map((each) => preTokenizerOf(each, compile))),
  Split: (fields, compile) =>
    splitter(patternOf(fields, 'pattern', compile), behaviorOf(fields), fields.flag('invert', false)),
  Whitespace: () =>
    splitter(
      matchesOf(
        /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu,
      ),
      'Removed',
      true,
    ),
  WhitespaceSplit: () => splitter(matchesOf(/\p{White_Space}/gu), 'Removed'),
};

const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
type Behavior = (typeof behaviors)[number];

function behaviorOf(fields: Fields, usual?: Behavior): Behavior {
  const name = fields.string('behavior', usual);
  const found = behaviors.find((behavior) => behavior === name);
  return found ?? refuse(`${fields.component}.behavior`, behaviors.join(', '), name);
}

const inTurn =
  (...all: readonly PreTokenizer[]): PreTokenizer =>
  (piece) =>
    all.reduce<readonly Piece[]>((pieces, each) => pieces.flatMap((one) => each(written(one))), [piece]);

/** A piece whose bytes a next step sees as characters. */
const written = (piece: Piece): Piece => (piece.inBytes ? inBytes(piece) : piece);

/** Splits by a pattern; what becomes of the matches is the behaviour. Inverted, the matches are what is kept. */
function splitter(find: FindMatches, behavior: Behavior, invert = false): PreTokenizer {
  return (piece) => {
    const pieces: Piece[] = [];
    for (const range of ranges(piece.text.length, find(piece.text), behavior, invert)) {
      if (range[1] > range[0]) pieces.push(part(piece, range[0], range[1]));
    }
    return pieces;
  };
}

/** The ranges that a text is split into. */
function* ranges(
  length: number,
  matches: Iterable<readonly [number, number]>,
  behavior: Behavior,
  invert: boolean,
): Generator<readonly [number, number]> {
  if (behavior === 'Isolated') return yield* isolated(length, matches);
  const all = [...inOrder(length, matches, invert)];
  if (behavior === 'Removed') {
    for (const { range, match } of all) if (!match) yield range;
    return;
  }
  let [from, end] = [0, 0];
  let previous: boolean | undefined;
  for (const { range, match } of all) {
    const joins =
      previous !== undefined &&
      ((behavior === 'Contiguous' && match === previous) ||
        (behavior === 'MergedWithPrevious' && match && !previous) ||
        (behavior === 'MergedWithNext' && previous && !match));
    if (!joins) {
      yield [from, end];
      [from] = range;
    }
    [, end] = range;
    previous = match;
  }
  yield [from, end];
}

function* isolated(
  length: number,
  matches: Iterable<readonly [number, number]>,
): Generator<readonly [number, number]> {
  let at = 0;
  for (const match of matches) {
    if (match[0] > at) yield [at, match[0]];
    yield match;
    at = match[1];
  }
  if (at < length) yield [at, length];
}

function* inOrder(length: number, matches: Iterable<readonly [number, number]>, invert: boolean) {
  let at = 0;
  for (const match of matches) {
    if (match[0] > at) yield { range: [at, match[0]] as const, match: invert };
    yield { range: match, match: !invert };
    at = match[1];
  }
  if (at < length) yield { range: [at, length] as const, match: invert };
}

/** GPT-2's pattern (openai/gpt-2, src/encoder.py), with Unicode's white space. */
const gpt2 =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

function byteLevel(fields: Fields): PreTokenizer {
  const prefix = fields.flag('add_prefix_space', true);
  const split = fields.flag('use_regex', true) ? splitter(matchesOf(gpt2), 'Isolated') : undefined;
  return (piece) => {
    const started = prefix && !piece.text.startsWith(' ') ? prepended(piece, ' ') : piece;
    const pieces = split ? split(started) : [started];
    return pieces.map(({ text, map, base }) => ({ text, map, base, inBytes: true }));
  };
}

function fixedLength(fields: Fields): PreTokenizer {
  const length = Math.max(1, fields.count('length', 5));
  return (piece) => {
    const pieces: Piece[] = [];
    let [from, at, count] = [0, 0, 0];
    for (const character of piece.text) {
      at += character.length;
      if (++count < length) continue;
      pieces.push(part(piece, from, at));
      [from, count] = [at, 0];
    }
    if (at > from) pieces.push(part(piece, from, at));
    return pieces;
  };
}

function metaspace(fields: Fields): PreTokenizer {
  const replacement = fields.character('replacement', '▁');
  const scheme = schemeOf(fields);
  const split = fields.flag('split', true)
    ? splitter((text) => matchesOfCharacter(text, replacement), 'MergedWithNext')
    : undefined;
  return (piece) => {
    const marked = withReplacement(piece, replacement);
    // The start of the whole text is place 0 of the original.
    const isFirst = piece.text !== '' && (piece.map ? piece.map.starts[piece.base] : piece.base) === 0;
    const starts = scheme === 'always' || (scheme === 'first' && isFirst);
    const started = starts && !marked.text.startsWith(replacement) ? prepended(marked, replacement) : marked;
    return split ? split(started) : [started];
  };
}

/** Blanks in another character of one unit, so that no place moves. */
function withReplacement(piece: Piece, replacement: string): Piece {
  if (!piece.text.includes(' ')) return piece;
  if (replacement.length === 1) return { ...piece, text: piece.text.replaceAll(' ', replacement) };
  const builder = new AlignedBuilder(piece);
  for (let i = 0; i < piece.text.length; i++) {
    if (piece.text[i] === ' ') builder.write(replacement, i);
    else builder.copy(i, i + 1);
  }
  return builder.build();
}

function* matchesOfCharacter(text: string, character: string): Generator<readonly [number, number]> {
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + character.length)) {
    yield [at, at + character.length];
  }
}

function schemeOf(fields: Fields): 'always' | 'first' | 'never' {
  const scheme =
    fields.optionalString('prepend_scheme') ?? (fields.flag('add_prefix_space', true) ? 'always' : 'never');
  if (scheme === 'always' || scheme === 'first' || scheme === 'never') return scheme;
  return refuse(`${fields.component}.prepend_scheme`, 'always, first or never', scheme);
}
