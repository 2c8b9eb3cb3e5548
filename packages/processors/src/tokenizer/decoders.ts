import { byteOfCharacter } from './byte-characters';
import { type Fields, makerOf, refuse } from './file';
import { type CompileRegex, patternOf } from './patterns';

/** Tokens to pieces of text, which are joined at the end. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

/**
 * The decoder that a part of the file describes.
 *
 * Source of all: huggingface/tokenizers, tokenizers/src/decoders/.
 *
 * @throws TokenizerError for a kind that is not known.
 */
export function decoderOf(fields: Fields, compile: CompileRegex): Decoder {
  return makerOf(fields, kinds)(fields, compile);
}

const kinds: Record<string, (fields: Fields, compile: CompileRegex) => Decoder> = {
  BPEDecoder(fields) {
    const suffix = fields.string('suffix', '</w>');
    return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' '));
  },
  ByteFallback: () => byteFallback,
  ByteLevel: () => byteLevel,
  CTC: ctc,
  Fuse: () => (tokens) => [tokens.join('')],
  Metaspace: metaspace,
  Replace(fields, compile) {
    const find = patternOf(fields, 'pattern', compile);
    const content = fields.string('content');
    return (tokens) => {
      let room = roomFor(tokens);
      return tokens.map((token) => {
        const matches = [...find(token)];
        room -= matches.length * content.length;
        if (room < 0) refuse(fields.component, growth, 'more');
        return replaced(token, matches, content);
      });
    };
  },
  Sequence(fields, compile) {
    const all = stepsOf(fields, compile);
    return (tokens) => {
      const room = roomFor(tokens);
      return all.reduce((pieces, each) => {
        const next = each(pieces);
        return lengthOf(next) > room ? refuse(fields.component, growth, 'more') : next;
      }, tokens);
    };
  },
  Strip(fields) {
    const content = fields.character('content', ' ');
    const [start, stop] = [fields.count('start', 0), fields.count('stop', 0)];
    return (tokens) => tokens.map((token) => strip(token, content, start, stop));
  },
  WordPiece(fields) {
    const prefix = fields.string('prefix', '##');
    const clean = fields.flag('cleanup', true);
    return (tokens) =>
      tokens.map((token, i) => {
        const joined = i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
        return clean ? cleanUp(joined) : joined;
      });
  },
};

/** Those of sequences in a sequence are its own. */
const stepsOf = (fields: Fields, compile: CompileRegex): Decoder[] =>
  fields
    .parts('decoders')
    .flatMap((each) => (each.json.type === 'Sequence' ? stepsOf(each, compile) : [decoderOf(each, compile)]));

const lengthOf = (tokens: readonly string[]) => tokens.reduce((sum, token) => sum + token.length, 0);

const growth = 'text that decoding makes at most 64 times longer';
const roomFor = (tokens: readonly string[]) => 64 * lengthOf(tokens) + 2 ** 16;

function replaced(token: string, matches: Iterable<readonly [number, number]>, content: string): string {
  let text = '';
  let last = 0;
  for (const [from, end] of matches) {
    text += token.slice(last, from) + content;
    last = end;
  }
  return text + token.slice(last);
}

const decodeBytes = (bytes: readonly number[]) =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));

const encoder = new TextEncoder();

/** Characters that stand for bytes; a token with any other character is its own bytes. */
const byteLevel: Decoder = (tokens) => {
  const bytes: number[] = [];
  for (const token of tokens) {
    const own = Array.from(token, (character) => byteOfCharacter.get(character));
    for (const byte of own.includes(undefined) ? encoder.encode(token) : own) bytes.push(byte!);
  }
  return [decodeBytes(bytes)];
};

/** Runs of `<0x0A>` are bytes; where they are no UTF-8, each is U+FFFD. */
const byteFallback: Decoder = (tokens) => {
  const pieces: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length === 0) return;
    try {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
      pieces.push(decoder.decode(Uint8Array.from(bytes)));
    } catch {
      for (const _ of bytes) pieces.push('\uFFFD');
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) bytes.push(Number.parseInt(byte, 16));
    else {
      flush();
      pieces.push(token);
    }
  }
  flush();
  return pieces;
};

function metaspace(fields: Fields): Decoder {
  const replacement = fields.character('replacement', '▁');
  const scheme =
    fields.optionalString('prepend_scheme') ?? (fields.flag('add_prefix_space', true) ? 'always' : 'never');
  return (tokens) =>
    tokens.map((token, i) => {
      // The blank that was put in front of the text goes again, and with it all others of the first token.
      return token.replaceAll(replacement, i === 0 && scheme !== 'never' ? '' : ' ');
    });
}

/** Takes up to so many of a character off either end. */
function strip(token: string, content: string, start: number, stop: number): string {
  let [from, end] = [0, token.length];
  for (let i = 0; i < start && from < end && token.startsWith(content, from); i++) from += content.length;
  for (let i = 0; i < stop && end > from && token.slice(from, end).endsWith(content); i++) {
    end -= content.length;
  }
  return token.slice(from, end);
}

/** Connectionist temporal classification: repeated tokens are one. */
function ctc(fields: Fields): Decoder {
  const pad = fields.string('pad_token', '<pad>');
  const delimiter = fields.string('word_delimiter_token', '|');
  const clean = fields.flag('cleanup', true);
  return (tokens) =>
    tokens.flatMap((token, i) => {
      if (token === tokens[i - 1]) return [];
      const text = token.replaceAll(pad, '');
      const cleaned = clean ? cleanUp(text).replaceAll(delimiter, ' ') : text;
      return cleaned === '' ? [] : [cleaned];
    });
}

/** Takes blanks away in front of punctuation and of English endings, as transformers' `clean_up_tokenization` does. */
export function cleanUp(text: string): string {
  const tight = [' .', ' ?', ' !', ' ,', " ' ", " n't", " 'm", " 's", " 've", " 're"];
  return tight.reduce((cleaned, loose) => cleaned.replaceAll(loose, loose.trim()), text);
}
