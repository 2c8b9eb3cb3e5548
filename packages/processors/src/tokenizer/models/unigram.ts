import { alsoBytes } from '../byte-level';
import { type Fields, refuse } from '../file';
import { Trie } from '../trie';
import type { Model, Tokens } from './model';
import { byteTokens, noToken } from './vocabulary';

/** What an unknown character costs beyond the least likely token. */
const unknownPenalty = 10;

/**
 * The likeliest tokens of a text, by their log-probabilities. Neighbouring unknown characters are one token.
 *
 * Source: Kudo, 2018; `encode_optimized` of huggingface/tokenizers, tokenizers/src/models/unigram/model.rs, after
 * google/sentencepiece.
 */
export function unigram(fields: Fields): Model {
  const entries = fields.list('vocab').map((entry, i): [string, number] => {
    if (Array.isArray(entry) && typeof entry[0] === 'string' && Number.isFinite(entry[1])) {
      return [entry[0], entry[1]];
    }
    return refuse(`${fields.component}.vocab[${i}]`, 'a token and its score', entry);
  });
  const unknown = fields.json.unk_id == null ? undefined : fields.count('unk_id');
  if (unknown !== undefined && unknown >= entries.length) {
    refuse(`${fields.component}.unk_id`, `an id below ${entries.length}`, unknown);
  }
  const vocabulary = new Map(entries.map(([token], id) => [token, id]));
  const unknownScore =
    entries.reduce((least, [, score]) => Math.min(least, score), Infinity) - unknownPenalty;
  const trie = new Trie(vocabulary);
  const bytes = fields.flag('byte_fallback', false) ? byteTokens(vocabulary) : undefined;

  /** Ends of the pieces of the likeliest split. */
  function split(text: string): number[] {
    const scores = new Float64Array(text.length + 1);
    const starts = new Int32Array(text.length + 1).fill(-1);
    const isUnknown = new Uint8Array(text.length + 1);
    const reach = (from: number, end: number, score: number, id: number | undefined) => {
      const total = score + scores[from];
      if (starts[end] >= 0 && total <= scores[end]) return;
      scores[end] = total;
      starts[end] = from;
      isUnknown[end] = id === unknown ? 1 : 0;
    };
    for (let from = 0; from < text.length; ) {
      const next = from + String.fromCodePoint(text.codePointAt(from)!).length;
      let single = false;
      trie.prefixes(text, from, (end, id) => {
        reach(from, end, entries[id][1], id);
        if (end === next) single = true;
      });
      if (!single) reach(from, next, unknownScore, unknown);
      from = next;
    }
    const ends: number[] = [];
    let fused = false;
    for (let end = text.length; end > 0; end = starts[end]) {
      const unknownHere = unknown !== undefined && isUnknown[end] === 1;
      if (!(unknownHere && fused)) ends.push(end);
      fused = unknownHere;
    }
    return ends.reverse();
  }

  return {
    vocabulary,
    tokenize: alsoBytes((text): Tokens => {
      const [ids, starts, ends]: number[][] = [[], [], []];
      let from = 0;
      for (const end of split(text)) {
        const piece = text.slice(from, end);
        const id = vocabulary.get(piece);
        const found = id === undefined ? (bytes?.(piece) ?? [unknown ?? noToken(piece)]) : [id];
        for (const each of found) {
          ids.push(each);
          starts.push(from);
          ends.push(end);
        }
        from = end;
      }
      return { ids, starts, ends };
    }),
  };
}
