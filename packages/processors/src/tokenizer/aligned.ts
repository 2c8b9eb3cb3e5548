import { refuse } from './file';

/**
 * A text that was made from another one, and where each of its characters comes from. Places are UTF-16 units; all
 * units of a character have its range.
 *
 * Source: `NormalizedString` of huggingface/tokenizers, tokenizers/src/tokenizer/normalizer.rs.
 */
export interface Aligned {
  readonly text: string;
  /** Of unit `i`: first and end (exclusive) place in the original. Absent: it is the original from `base` on. */
  readonly map?: AlignmentMap;
  /** Place of the first unit, in the map or in the original. */
  readonly base: number;
}

export interface AlignmentMap {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** The part [from, end) of a text. */
export function part({ text, map, base }: Aligned, from: number, end: number): Aligned {
  return { text: text.slice(from, end), map, base: base + from };
}

/** The range in the original of the units [from, end), of which there is at least one. */
export function originOf({ map, base }: Aligned, from: number, end: number): [number, number] {
  return map ? [map.starts[base + from], map.ends[base + end - 1]] : [base + from, base + end];
}

/** Builds a text from pieces of another one. @throws TokenizerError where it grows without bounds. */
export class AlignedBuilder {
  private text = '';
  private starts: Int32Array;
  private ends: Int32Array;
  private length = 0;

  constructor(private readonly source: Aligned) {
    this.starts = new Int32Array(source.text.length + 16);
    this.ends = new Int32Array(this.starts.length);
  }

  /** Takes the units [from, end) over. */
  copy(from: number, end: number): void {
    if (end <= from) return;
    const { text, map, base } = this.source;
    this.text += text.slice(from, end);
    this.reserve(end - from);
    if (map) {
      this.starts.set(map.starts.subarray(base + from, base + end), this.length);
      this.ends.set(map.ends.subarray(base + from, base + end), this.length);
      this.length += end - from;
      return;
    }
    for (let i = from; i < end; i++) {
      const [first, last] = characterAt(text, i);
      this.starts[this.length] = base + first;
      this.ends[this.length++] = base + last;
    }
  }

  /** Writes something that comes from the character with unit `at`; from nothing where that is below 0. */
  write(text: string, at: number): void {
    if (text.length === 0) return;
    const [start, end] = at < 0 ? [0, 0] : this.originOfCharacter(at);
    this.text += text;
    this.reserve(text.length);
    this.starts.fill(start, this.length, this.length + text.length);
    this.ends.fill(end, this.length, this.length + text.length);
    this.length += text.length;
  }

  build(): Aligned {
    return {
      text: this.text,
      map: { starts: this.starts.subarray(0, this.length), ends: this.ends.subarray(0, this.length) },
      base: 0,
    };
  }

  /** The largest length that is sensible for what lies before the last unit in the original. */
  private room(): number {
    const { text, map, base } = this.source;
    return 64 * (map ? map.ends[base + text.length - 1] : base + text.length) + 2 ** 16;
  }

  private originOfCharacter(at: number): [number, number] {
    const { text, map, base } = this.source;
    if (map) return [map.starts[base + at], map.ends[base + at]];
    const [first, last] = characterAt(text, at);
    return [base + first, base + last];
  }

  private reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.starts.length) return;
    if (needed > this.room()) refuse('tokenizer', 'text that becomes at most 64 times longer', 'more');
    const size = 2 * needed;
    const grow = (old: Int32Array) => {
      const larger = new Int32Array(size);
      larger.set(old);
      return larger;
    };
    this.starts = grow(this.starts);
    this.ends = grow(this.ends);
  }
}

const isHigh = (unit: number) => unit >= 0xd800 && unit < 0xdc00;
const isLow = (unit: number) => unit >= 0xdc00 && unit < 0xe000;

/** First and end (exclusive) unit of the character that has unit `at`. */
function characterAt(text: string, at: number): [number, number] {
  const unit = text.charCodeAt(at);
  if (isHigh(unit) && isLow(text.charCodeAt(at + 1))) return [at, at + 2];
  if (isLow(unit) && at > 0 && isHigh(text.charCodeAt(at - 1))) return [at - 1, at + 1];
  return [at, at + 1];
}
