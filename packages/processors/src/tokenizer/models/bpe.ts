import { alsoBytes } from '../byte-level';
import { type Fields, refuse } from '../file';
import type { Model, Tokens } from './model';
import { byteTokens, vocabularyOf } from './vocabulary';

/** Words repeat; that many are remembered. */
const remembered = 2 ** 16;
/** Longer words are seldom seen twice. */
const longestRemembered = 64;

/**
 * Byte-pair encoding: characters are merged by the rank of their pair until no pair is left.
 *
 * Source: Sennrich et al., 2016; huggingface/tokenizers, tokenizers/src/models/bpe/.
 */
export function bpe(fields: Fields): Model {
  const vocabulary = vocabularyOf(fields);
  const prefix = fields.optionalString('continuing_subword_prefix') ?? '';
  const suffix = fields.optionalString('end_of_word_suffix') ?? '';
  const merges = mergesOf(fields, vocabulary, prefix);
  const whole = fields.flag('ignore_merges', false);
  const symbols = symbolizer(fields, vocabulary, prefix, suffix);
  const known = [new Map<string, Tokens>(), new Map<string, Tokens>()];

  function tokenizeWord(text: string): Tokens {
    const id = whole ? vocabulary.get(text) : undefined;
    if (id !== undefined) return { ids: [id], starts: [0], ends: [text.length] };
    return merged(symbols(text), merges);
  }

  const tokenize = alsoBytes(tokenizeWord);
  return {
    vocabulary,
    tokenize(text, inBytes) {
      const cache = known[inBytes ? 1 : 0];
      const found = cache.get(text);
      if (found) return found;
      const tokens = tokenize(text, inBytes);
      if (text.length <= longestRemembered) {
        if (cache.size >= remembered) cache.clear();
        cache.set(text, tokens);
      }
      return tokens;
    },
  };
}

interface Merge {
  readonly rank: number;
  readonly id: number;
}

const pairOf = (left: number, right: number) => left * 2 ** 24 + right;

/** What two ids become. @throws TokenizerError for a pair of which a part or the whole is no token. */
function mergesOf(
  fields: Fields,
  vocabulary: ReadonlyMap<string, number>,
  prefix: string,
): ReadonlyMap<number, Merge> {
  const merges = new Map<number, Merge>();
  fields.list('merges').forEach((entry, rank) => {
    const component = `${fields.component}.merges[${rank}]`;
    const [left, right] = typeof entry === 'string' ? entry.split(' ') : Array.isArray(entry) ? entry : [];
    if (typeof left !== 'string' || typeof right !== 'string') refuse(component, 'two tokens', entry);
    const ids = [left, right, left + right.slice(prefix.length)].map((token) => vocabulary.get(token));
    if (ids.some((id) => id === undefined)) refuse(component, 'tokens of the vocabulary', entry);
    merges.set(pairOf(ids[0]!, ids[1]!), { rank, id: ids[2]! });
  });
  return merges;
}

/** Cuts a word into the tokens of its characters. */
function symbolizer(
  fields: Fields,
  vocabulary: ReadonlyMap<string, number>,
  prefix: string,
  suffix: string,
): (text: string) => Tokens {
  const token = fields.optionalString('unk_token');
  const unknown = token === undefined ? undefined : vocabulary.get(token);
  if (token !== undefined && token !== '' && unknown === undefined) {
    refuse(`${fields.component}.unk_token`, 'a token of the vocabulary', token);
  }
  const fuse = fields.flag('fuse_unk', false);
  const bytes = fields.flag('byte_fallback', false) ? byteTokens(vocabulary) : undefined;
  return (text) => {
    const [ids, starts, ends]: number[][] = [[], [], []];
    const add = (id: number, start: number, end: number) => {
      ids.push(id);
      starts.push(start);
      ends.push(end);
    };
    // An unknown character waits for its neighbours, which it may be one token with; bytes do not end the wait.
    // Without a token for it, it is left out.
    let waiting: [number, number] | undefined;
    const flush = () => {
      if (waiting) add(unknown!, ...waiting);
      waiting = undefined;
    };
    for (let at = 0; at < text.length; ) {
      const character = String.fromCodePoint(text.codePointAt(at)!);
      const end = at + character.length;
      const symbol = (at > 0 ? prefix : '') + character + (end === text.length ? suffix : '');
      const id = vocabulary.get(symbol);
      const fallback = id === undefined ? bytes?.(symbol) : undefined;
      if (id !== undefined) {
        flush();
        add(id, at, end);
      } else if (fallback) {
        for (const byte of fallback) add(byte, at, end);
      } else if (unknown !== undefined) {
        if (!fuse) flush();
        waiting = [waiting?.[0] ?? at, end];
      }
      at = end;
    }
    flush();
    return { ids, starts, ends };
  };
}

/** Merges the pair of the lowest rank, the leftmost of equals, until there is none. */
function merged({ ids, starts, ends }: Tokens, merges: ReadonlyMap<number, Merge>): Tokens {
  if (ids.length > 100) return mergedByHeap({ ids, starts, ends }, merges);
  const [left, from, end] = [[...ids], [...starts], [...ends]];
  const pairs = left.map((id, i) => merges.get(pairOf(id, left[i + 1])));
  for (;;) {
    let best = -1;
    for (let i = 0; i + 1 < left.length; i++) {
      const pair = pairs[i];
      if (pair && (best < 0 || pair.rank < pairs[best]!.rank)) best = i;
    }
    if (best < 0) return { ids: left, starts: from, ends: end };
    left[best] = pairs[best]!.id;
    end[best] = end[best + 1];
    for (const list of [left, from, end, pairs]) list.splice(best + 1, 1);
    if (best > 0) pairs[best - 1] = merges.get(pairOf(left[best - 1], left[best]));
    pairs[best] = best + 1 < left.length ? merges.get(pairOf(left[best], left[best + 1])) : undefined;
  }
}

/** The same for long words, in n · log n. */
function mergedByHeap(tokens: Tokens, merges: ReadonlyMap<number, Merge>): Tokens {
  const ids = [...tokens.ids];
  const ends = [...tokens.ends];
  const previous = ids.map((_, i) => i - 1);
  const next = ids.map((_, i) => i + 1);
  const gone = new Uint8Array(ids.length);
  const heap = new Heap();
  const offer = (at: number) => {
    const right = at < 0 ? ids.length : next[at];
    if (right >= ids.length) return;
    const merge = merges.get(pairOf(ids[at], ids[right]));
    if (merge) heap.push({ ...merge, at });
  };
  ids.forEach((_, at) => {
    offer(at);
  });
  for (let top = heap.pop(); top; top = heap.pop()) {
    const { at } = top;
    const right = next[at];
    if (gone[at] || right >= ids.length) continue;
    // The pair may have changed since it was put here.
    if (merges.get(pairOf(ids[at], ids[right]))?.id !== top.id) continue;
    ids[at] = top.id;
    ends[at] = ends[right];
    gone[right] = 1;
    next[at] = next[right];
    if (next[at] < ids.length) previous[next[at]] = at;
    offer(previous[at]);
    offer(at);
  }
  const kept = ids.flatMap((_, i) => (gone[i] ? [] : [i]));
  return {
    ids: kept.map((i) => ids[i]),
    starts: kept.map((i) => tokens.starts[i]),
    ends: kept.map((i) => ends[i]),
  };
}

interface Entry extends Merge {
  readonly at: number;
}

/** Gives the entry of the lowest rank first, the leftmost of equals. */
class Heap {
  private readonly entries: Entry[] = [];

  push(entry: Entry): void {
    const { entries } = this;
    let i = entries.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entries[i], entries[parent])) return;
      [entries[i], entries[parent]] = [entries[parent], entries[i]];
      i = parent;
    }
  }

  pop(): Entry | undefined {
    const { entries } = this;
    const [top] = entries;
    const last = entries.pop();
    if (!last || entries.length === 0) return top;
    entries[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < entries.length && before(entries[child], entries[least])) least = child;
      }
      if (least === i) return top;
      [entries[i], entries[least]] = [entries[least], entries[i]];
      i = least;
    }
  }
}

const before = (a: Entry, b: Entry) => a.rank < b.rank || (a.rank === b.rank && a.at < b.at);
