import { type Aligned, part } from './aligned';
import { Fields } from './file';
import { idOf } from './models/vocabulary';
import { Trie } from './trie';

/** A token that is found in the text itself, before anything is split. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** Found in normalised text. */
  readonly normalized: boolean;
  readonly singleWord: boolean;
  /** Takes the white space on its left, or right. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

export function addedTokenOf(component: string, json: unknown): AddedToken {
  const fields = Fields.of(component, json);
  const special = fields.flag('special', false);
  return {
    id: idOf(`${component}.id`, fields.json.id),
    content: fields.string('content'),
    special,
    normalized: fields.flag('normalized', !special),
    singleWord: fields.flag('single_word', false),
    lstrip: fields.flag('lstrip', false),
    rstrip: fields.flag('rstrip', false),
  };
}

/**
 * Tokens with the ids that the reference gives them: that of the vocabulary, or the next one that is free. Those that the
 * file gives are what was found when it was saved, and not heeded.
 *
 * Source: `add_tokens` of huggingface/tokenizers, tokenizers/src/tokenizer/added_vocabulary.rs.
 */
export function numbered(
  tokens: readonly AddedToken[],
  vocabulary: ReadonlyMap<string, number>,
  before: readonly AddedToken[] = [],
): AddedToken[] {
  const known = new Map(before.map((token) => [token.content, token]));
  const largest = before.reduce((most, { id }) => Math.max(most, id), -1);
  let next = Math.max(largest + 1, vocabulary.size);
  for (const token of tokens) {
    if (token.content === '') continue;
    const id = known.get(token.content)?.id ?? vocabulary.get(token.content) ?? next++;
    known.set(token.content, { ...token, id });
  }
  return [...known.values()];
}

/** A stretch of text, or a token found in it. */
export interface Stretch {
  readonly text: Aligned;
  readonly token?: AddedToken;
}

const word = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]';
const endsWithWord = new RegExp(`${word}$`, 'u');
const startsWithWord = new RegExp(`^${word}`, 'u');
const white = /\p{White_Space}/u;

/**
 * Finds tokens in a text: the leftmost, and the longest of those that begin at one place.
 *
 * Source: `find_matches` of huggingface/tokenizers, tokenizers/src/tokenizer/added_vocabulary.rs.
 *
 * @param contentOf what a token looks like in the text
 */
export function finder(
  tokens: readonly AddedToken[],
  contentOf: (token: AddedToken) => string,
): (text: Aligned) => readonly Stretch[] {
  const byContent = new Map(tokens.map((token, i) => [contentOf(token), i]));
  byContent.delete('');
  if (byContent.size === 0) return (text) => [{ text }];
  const trie = new Trie(byContent);

  return (source) => {
    const { text } = source;
    const stretches: Stretch[] = [];
    let last = 0;
    for (const [index, contentEnd, i] of occurrences(text, trie)) {
      const token = tokens[i];
      let [start, end] = [index, contentEnd];
      if (token.singleWord && !standsAlone(text, start, end)) continue;
      if (token.lstrip) {
        while (start > last && white.test(text[start - 1])) start--;
        start = Math.max(start, last);
      }
      if (token.rstrip) while (end < text.length && white.test(text[end])) end++;
      if (start > last) stretches.push({ text: part(source, last, start) });
      stretches.push({ text: part(source, start, end), token });
      last = end;
    }
    if (last < text.length) stretches.push({ text: part(source, last, text.length) });
    return stretches;
  };
}

function standsAlone(text: string, start: number, end: number): boolean {
  return (
    !endsWithWord.test(text.slice(Math.max(0, start - 2), start)) &&
    !startsWithWord.test(text.slice(end, end + 2))
  );
}

/** Leftmost, longest, without overlap: where each begins and ends, and which it is. */
function* occurrences(text: string, trie: Trie): Generator<readonly [start: number, end: number, i: number]> {
  for (let at = 0; at < text.length; ) {
    let [end, which] = [at, -1];
    trie.prefixes(text, at, (endOfToken, i) => {
      [end, which] = [endOfToken, i];
    });
    if (which >= 0) yield [at, end, which];
    at = Math.max(end, at + 1);
  }
}
