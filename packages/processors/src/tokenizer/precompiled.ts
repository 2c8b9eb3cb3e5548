import type { Aligned } from './aligned';
import { AlignedBuilder } from './aligned';
import { writeChanged } from './changed';
import { type Fields, refuse } from './file';

/**
 * SentencePiece's map of characters: a double-array trie of what is replaced, and the texts that take its place.
 *
 * Source: `Precompiled` of huggingface/tokenizers with the crate spm_precompiled, after google/sentencepiece,
 * src/normalizer.cc.
 */
export function precompiled(fields: Fields): (source: Aligned) => Aligned {
  const map = new CharacterMap(decodeBase64(fields), fields.component);
  const replacements = fields.flag('longest_match', false) ? longest : byGrapheme;
  return (source) => {
    const result: Result = [];
    let kept = 0;
    for (const { from, end, text } of replacements(source.text, map)) {
      keep(result, source.text.slice(kept, from));
      replace(result, source.text.slice(from, end), text);
      kept = end;
    }
    if (kept === 0) return source;
    keep(result, source.text.slice(kept));
    const builder = new AlignedBuilder(source);
    writeChanged(builder, source.text, 0, result);
    return builder.build();
  };
}

type Result = { character: string; change: number }[];

function keep(result: Result, text: string): void {
  for (const character of text) result.push({ character, change: 0 });
}

/**
 * What is fewer is taken in by the last character so far, whatever that came from; at the beginning of a text there is none,
 * and all that follow are aligned to what was removed. Source: `replace` in tokenizers/src/normalizers/precompiled.rs.
 */
function replace(result: Result, old: string, text: string): void {
  const [before, after] = [[...old].length, [...text]];
  after.forEach((character, i) => {
    result.push({ character, change: i < before ? 0 : 1 });
  });
  const last = result.at(-1);
  if (last && after.length < before) last.change += after.length - before;
}

interface Replacement {
  readonly from: number;
  readonly end: number;
  readonly text: string;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** As Hugging Face's library does it: a short grapheme is looked up whole, and by its beginning, then its characters. */
function* byGrapheme(text: string, map: CharacterMap): Generator<Replacement> {
  for (const { segment, index } of graphemes.segment(text)) {
    const bytes = encoder.encode(segment);
    const whole = bytes.length < 6 ? map.shortest(bytes) : undefined;
    if (whole) {
      yield { from: index, end: index + segment.length, text: whole.text };
      continue;
    }
    let at = index;
    for (const character of segment) {
      const one = map.shortest(encoder.encode(character));
      const end = at + character.length;
      if (one) yield { from: at, end, text: one.text };
      at = end;
    }
  }
}

/** As SentencePiece itself does it: the longest entry that the text has at each place. */
function* longest(text: string, map: CharacterMap): Generator<Replacement> {
  for (let at = 0; at < text.length; ) {
    // No entry is longer than a few characters.
    const bytes = encoder.encode(text.slice(at, at + 16));
    const found = map.longest(bytes);
    const length = found ? decoder.decode(bytes.subarray(0, found.bytes)).length : 0;
    const end = at + (length || characterLength(text, at));
    if (found && length > 0) yield { from: at, end, text: found.text };
    at = end;
  }
}

const characterLength = (text: string, at: number) => String.fromCodePoint(text.codePointAt(at)!).length;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function decodeBase64(fields: Fields): Uint8Array {
  const text = fields.optionalString('precompiled_charsmap') ?? '';
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return refuse(`${fields.component}.precompiled_charsmap`, 'base64', text);
  }
}

/** An entry that a text begins with. */
interface Entry {
  readonly bytes: number;
  readonly text: string;
}

class CharacterMap {
  private readonly units: Uint32Array;
  private readonly texts: Uint8Array;

  constructor(bytes: Uint8Array, component: string) {
    const size = bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (size % 4 !== 0 || 4 + size > bytes.length) {
      refuse(`${component}.precompiled_charsmap`, 'a trie of whole units', `${bytes.length} bytes`);
    }
    this.units = new Uint32Array(bytes.slice(4, 4 + size).buffer);
    this.texts = bytes.subarray(4 + size);
  }

  shortest(key: Uint8Array): Entry | undefined {
    for (const entry of this.entries(key)) return this.read(entry);
    return undefined;
  }

  longest(key: Uint8Array): Entry | undefined {
    const last = [...this.entries(key)].at(-1);
    return last && this.read(last);
  }

  /** How many bytes each entry has that the key begins with, and where its text lies. */
  private *entries(key: Uint8Array): Generator<readonly [bytes: number, at: number]> {
    const { units } = this;
    let unit = units[0] ?? 0;
    let node = offsetOf(unit);
    for (const [i, byte] of key.entries()) {
      if (byte === 0) return;
      node ^= byte;
      unit = units[node] ?? 0;
      if (labelOf(unit) !== byte) return;
      node ^= offsetOf(unit);
      if (((unit >>> 8) & 1) === 1) yield [i + 1, (units[node] ?? 0) & 0x7fffffff];
    }
  }

  private read([bytes, at]: readonly [number, number]): Entry {
    const end = this.texts.indexOf(0, at);
    return { bytes, text: decoder.decode(this.texts.subarray(at, end < 0 ? undefined : end)) };
  }
}

// Units of Darts-clone's double array: https://github.com/s-yata/darts-clone
const offsetOf = (unit: number) => (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
const labelOf = (unit: number) => unit & ((1 << 31) | 0xff);
