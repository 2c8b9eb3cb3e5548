import { strip as stripPython } from '../chat/python/whitespace';
import { type Aligned, part } from './aligned';
import { isObject, type JsonObject } from './file';
import { prepended } from './normalizers';

/** What a class of transformers does that its `tokenizer.json` does not say. */
export interface ClassRules {
  /** The file as the class would have it. */
  file?(file: JsonObject): JsonObject;
  /** A piece of text before it is normalised. */
  before?(text: Aligned): Aligned;
  /** A normalised piece of text, the first of its text or a later one. */
  piece?(text: Aligned, isFirst: boolean): Aligned;
  /** No end token is put behind a text that has one. */
  readonly endsOnce?: boolean;
  /** Tokens to text, in place of the file's decoder. */
  decode?(tokens: readonly string[], special: ReadonlySet<string>): string;
  /** Decoded text. */
  text?(decoded: string): string;
}

/** By the `tokenizer_class` of `tokenizer_config.json`. */
export function classRules({ tokenizer_class: name }: JsonObject): ClassRules {
  const plain = typeof name === 'string' ? name.replace(/Fast$/, '') : '';
  return Object.hasOwn(classes, plain) ? classes[plain] : {};
}

const classes: Record<string, ClassRules> = {
  /** The end of a word becomes a blank. */
  CLIPTokenizer: {
    text: (decoded) => stripPython(decoded.replaceAll('</w>', ' ')),
  },

  /**
   * This class runs SentencePiece itself: blanks at the end of a piece go, only the first piece of a text gets a ▁, and
   * decoding begins anew behind each special token. Control tokens of the vocabulary are written as nothing.
   */
  SiglipTokenizer: {
    endsOnce: true,
    file: (file) => ({
      ...file,
      normalizer: longestMatches(file.normalizer),
      ...(isObject(file.pre_tokenizer) && {
        pre_tokenizer: { ...file.pre_tokenizer, prepend_scheme: 'never' },
      }),
    }),
    before: asPythonLowers,
    piece(text, isFirst) {
      const from = isFirst ? text.text.length - text.text.trimStart().length : 0;
      const trimmed = part(text, from, Math.max(from, text.text.trimEnd().length));
      return isFirst ? prepended(trimmed, '▁') : trimmed;
    },
    decode(tokens, special) {
      let text = '';
      let run: string[] = [];
      let afterSpecial = false;
      for (const token of tokens) {
        if (special.has(token)) {
          text += (afterSpecial ? '' : ' ') + pieces(run) + token;
          run = [];
        } else run.push(token);
        afterSpecial = special.has(token);
      }
      return stripPython(text + pieces(run));
    },
  },
};

/** As SentencePiece decodes: ▁ is a blank, but not in front. */
function pieces(tokens: readonly string[]): string {
  const text = tokens.filter((token) => token !== '<pad>').join('');
  return text.replaceAll('▁', ' ').replace(/^ /, '');
}

/** A normalizer whose map of characters is read as SentencePiece reads it. */
function longestMatches(normalizer: unknown): unknown {
  if (!isObject(normalizer)) return normalizer;
  const { type, normalizers } = normalizer;
  if (type === 'Precompiled') return { ...normalizer, longest_match: true };
  return Array.isArray(normalizers)
    ? { ...normalizer, normalizers: normalizers.map(longestMatches) }
    : normalizer;
}

/** To Python, four control characters are blanks, and a sigma that ends a word is lowered to ς. To this class, ▁ is a blank. */
function asPythonLowers(source: Aligned): Aligned {
  // İ is the only character whose lower case is longer.
  const lower = source.text.replaceAll('İ', 'I').toLowerCase();
  let text = '';
  for (let i = 0; i < source.text.length; i++) {
    const unit = source.text.charCodeAt(i);
    if ((unit >= 0x1c && unit <= 0x1f) || source.text[i] === '▁') text += ' ';
    else text += source.text[i] === 'Σ' ? lower[i] : source.text[i];
  }
  return { ...source, text };
}
