import { type Aligned, AlignedBuilder, part } from './aligned';
import { inBytes } from './byte-level';
import { type Fields, makerOf } from './file';
import { type CompileRegex, matchesOf, patternOf } from './patterns';
import { precompiled } from './precompiled';
import { normalForm, type UnicodeForm } from './unicode-forms';

export type Normalizer = (source: Aligned) => Aligned;

type Make = (fields: Fields, compile: CompileRegex) => Normalizer;

/**
 * The normalizer that a part of the file describes.
 *
 * Source of all: huggingface/tokenizers, tokenizers/src/normalizers/.
 *
 * @throws TokenizerError for a kind that is not known.
 */
export function normalizerOf(fields: Fields, compile: CompileRegex): Normalizer {
  return makerOf(fields, kinds)(fields, compile);
}

const form =
  (name: UnicodeForm): Make =>
  () =>
  (source) =>
    normalForm(source, name);

const kinds: Record<string, Make> = {
  BertNormalizer: bert,
  ByteLevel: () => inBytes,
  Lowercase: () => lowercase,
  NFC: form('NFC'),
  NFD: form('NFD'),
  NFKC: form('NFKC'),
  NFKD: form('NFKD'),
  Nmt: () => nmt,
  Precompiled: precompiled,
  Prepend: prepend,
  Replace: replace,
  Sequence(fields, compile) {
    const all = fields.parts('normalizers').map((each) => normalizerOf(each, compile));
    return (source) => all.reduce((text, each) => each(text), source);
  },
  Strip(fields) {
    const [left, right] = [fields.flag('strip_left'), fields.flag('strip_right')];
    return (source) => strip(source, left, right);
  },
  StripAccents: () => (source) => replaced(source, /\p{M}/gu, ''),
};

/** Writes what each character becomes; `undefined` for one that stays as it is. */
export function perCharacter(source: Aligned, become: (character: string) => string | undefined): Aligned {
  let builder: AlignedBuilder | undefined;
  let kept = 0;
  let at = 0;
  for (const character of source.text) {
    const next = become(character);
    if (next !== undefined) {
      builder ??= new AlignedBuilder(source);
      builder.copy(kept, at);
      builder.write(next, at);
      kept = at + character.length;
    }
    at += character.length;
  }
  builder?.copy(kept, at);
  return builder?.build() ?? source;
}

/** Character by character, so that no sigma is a final one. */
const lowercase: Normalizer = (source) => {
  if (source.text.toLowerCase() === source.text) return source;
  return perCharacter(source, (character) => {
    const lower = character.toLowerCase();
    return lower === character ? undefined : lower;
  });
};

/** Control characters vanish, and some that show nothing become blanks: google/sentencepiece, src/builder.cc. */
const nmt: Normalizer = (source) =>
  perCharacter(source, (character) => {
    if (/(?![\0\t\n\f\r\x80-\x8E\x90-\x9E])\p{Cc}/u.test(character)) return '';
    return /[\t\n\f\r\u1680\u200B-\u200F\u2028\u2029\u2581\uFEFF\uFFFD]/.test(character) ? ' ' : undefined;
  });

function prepend(fields: Fields): Normalizer {
  const text = fields.string('prepend');
  return (source) => prepended(source, text);
}

/** A text with another one in front, which is aligned to its first character. Nothing stays nothing. */
export function prepended(source: Aligned, text: string): Aligned {
  if (source.text === '') return source;
  const builder = new AlignedBuilder(source);
  builder.write(text, 0);
  builder.copy(0, source.text.length);
  return builder.build();
}

function replace(fields: Fields, compile: CompileRegex): Normalizer {
  const find = patternOf(fields, 'pattern', compile);
  const content = fields.string('content');
  return (source) => replacedAt(source, find(source.text), content);
}

const replaced = (source: Aligned, pattern: RegExp, content: string): Aligned =>
  replacedAt(source, matchesOf(pattern)(source.text), content);

/** What takes the place of a match is aligned to its last character. */
function replacedAt(source: Aligned, matches: Iterable<readonly [number, number]>, content: string): Aligned {
  let builder: AlignedBuilder | undefined;
  let kept = 0;
  for (const [from, end] of matches) {
    if (source.text.slice(from, end) === content && end - from === 1) continue;
    builder ??= new AlignedBuilder(source);
    builder.copy(kept, from);
    builder.write(content, end > from ? end - 1 : from - 1);
    kept = end;
  }
  builder?.copy(kept, source.text.length);
  return builder?.build() ?? source;
}

const white = /\p{White_Space}/u;

function strip(source: Aligned, left: boolean, right: boolean): Aligned {
  const { text } = source;
  let [from, end] = [0, text.length];
  if (left) while (from < end && white.test(text[from])) from++;
  if (right) while (end > from && white.test(text[end - 1])) end--;
  return end - from === text.length ? source : part(source, from, end);
}

/** As BERT's own tokenizer cleans text; accents are stripped with lower case unless the file says otherwise. */
function bert(fields: Fields): Normalizer {
  const lower = fields.flag('lowercase', true);
  const steps: Normalizer[] = [];
  if (fields.flag('clean_text', true)) {
    steps.push((source) =>
      perCharacter(source, (character) => {
        if (/[\0\uFFFD]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}]/u.test(character)) return '';
        return white.test(character) && character !== ' ' ? ' ' : undefined;
      }),
    );
  }
  if (fields.flag('handle_chinese_chars', true)) {
    steps.push((source) =>
      perCharacter(source, (character) => (ideograph.test(character) ? ` ${character} ` : undefined)),
    );
  }
  if (fields.flag('strip_accents', lower)) {
    steps.push((source) => replaced(normalForm(source, 'NFD'), /\p{Mn}/gu, ''));
  }
  if (lower) steps.push(lowercase);
  return (source) => steps.reduce((text, step) => step(text), source);
}

const ideograph =
  /[\u{4E00}-\u{9FFF}\u{3400}-\u{4DBF}\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\u{F900}-\u{FAFF}\u{2F800}-\u{2FA1F}]/u;
