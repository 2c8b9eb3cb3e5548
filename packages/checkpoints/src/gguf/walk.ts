import { CheckpointError } from '@mmllm/core';
import { quote } from '../safetensors/json';

/** What the parser can hold; headers are a few megabytes, most of them the tokenizer's words. */
export const MAX_HEADER_BYTES = 48_000_000;
/** Bytes of a tensor's line: lengths of its name and shape, type, offset. */
const LEAST_TENSOR = 24;
/** Bytes of an entry: length of its key, type, a value. */
const LEAST_ENTRY = 13;
const MAX_KEY_BYTES = 65_535;
/** Behind a longer text the parser may lose its way. */
const MAX_TEXT_BYTES = 1_500_000;
/** Limits of ggml. */
const MAX_NAME_BYTES = 63;
const MAX_AXES = 4;
/** As deep as the parser goes. */
const MAX_DEPTH = 4;
/** Keys under which the parser puts its own entries, or that mean something else to a JavaScript object. */
const RESERVED: ReadonlySet<string> = new Set(['__proto__', 'version', 'tensor_count', 'kv_count']);

const STRING = 8;
const ARRAY = 9;
/** Bytes of a value of each type, by its number in the file; of strings and arrays, the least. */
const WIDTHS = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8];

/** Thrown where the header goes on beyond the bytes at hand. */
export class RunsOut extends Error {}

export interface HeaderLayout {
  /** Bytes of the header, without the padding behind it. */
  readonly length: number;
  /** Where in the file the last text of each entry that ends with one lies, by key. */
  readonly lastTexts: ReadonlyMap<string, readonly [start: number, end: number]>;
}

/**
 * Walks over the header of a file of `fileSize` bytes, of which `bytes` are the first. Every length and count is held
 * against the file before anything is read or made by it, so that what parses the header afterwards meets no surprise.
 * Source of the format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 * @throws RunsOut if more bytes are needed.
 * @throws CheckpointError
 */
export function walkHeader(bytes: Uint8Array, fileSize: number, component: string): HeaderLayout {
  return new Walker(bytes, Math.min(fileSize, MAX_HEADER_BYTES), component).header();
}

class Walker {
  private position = 0;
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly limit: number,
    private readonly component: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  header(): HeaderLayout {
    const [tensors, entries] = this.prefix();
    const lastTexts = new Map<string, readonly [number, number]>();
    const keys = new Set<string>();
    for (let i = 0; i < entries; i++) {
      const key = this.name(MAX_KEY_BYTES, keys);
      if (RESERVED.has(key)) throw this.refuse('other keys', quote(key));
      const last = this.value(this.uint32(), 0);
      if (last) lastTexts.set(key, last);
    }
    const names = new Set<string>();
    for (let i = 0; i < tensors; i++) this.tensor(names);
    return { length: this.position, lastTexts };
  }

  private prefix(): [tensors: number, entries: number] {
    const magic = this.view.getUint32(this.take(4), true);
    if (magic !== 0x46554747) throw this.refuse("a GGUF file, which begins with 'GGUF'", 'other bytes');
    const version = this.uint32();
    if (version !== 2 && version !== 3) throw this.refuse('GGUF version 2 or 3', String(version));
    return [this.count(LEAST_TENSOR), this.count(LEAST_ENTRY)];
  }

  private tensor(names: Set<string>): void {
    this.name(MAX_NAME_BYTES, names);
    const axes = this.uint32();
    if (axes > MAX_AXES) throw this.refuse(`at most ${MAX_AXES} axes`, String(axes));
    // Sizes, type and offset.
    this.take(8 * axes + 12);
  }

  /** Steps over a value. Returns where its last text lies, if it ends with one. */
  private value(type: number, depth: number): readonly [number, number] | undefined {
    if (type === STRING) return this.text(MAX_TEXT_BYTES);
    if (type === ARRAY) return this.array(depth);
    this.take(this.width(type));
    return undefined;
  }

  private array(depth: number): readonly [number, number] | undefined {
    if (depth === MAX_DEPTH) throw this.refuse(`arrays of at most ${MAX_DEPTH} levels`, 'more');
    const type = this.uint32();
    const width = this.width(type);
    const length = this.count(width);
    if (type !== STRING && type !== ARRAY) {
      this.take(length * width);
      return undefined;
    }
    let last: readonly [number, number] | undefined;
    for (let i = 0; i < length; i++) last = this.value(type, depth + 1);
    return last;
  }

  private width(type: number): number {
    const width = WIDTHS[type];
    if (width === undefined) throw this.refuse('a known type of entry', String(type));
    return width;
  }

  /** A name that must not come twice. */
  private name(maxBytes: number, seen: Set<string>): string {
    const [start, end] = this.text(maxBytes);
    let name: string;
    try {
      name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        this.bytes.subarray(start, end),
      );
    } catch (cause) {
      throw this.refuse('names in UTF-8', 'other bytes', cause);
    }
    if (seen.has(name)) throw this.refuse('each name once', `${quote(name)} twice`);
    seen.add(name);
    return name;
  }

  private text(maxBytes: number): readonly [number, number] {
    const length = this.count(1);
    if (length > maxBytes) throw this.refuse(`a text of at most ${maxBytes} bytes`, String(length));
    const start = this.take(length);
    return [start, start + length];
  }

  private uint32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  /** A number of things that take at least `width` bytes each. */
  private count(width: number): number {
    const count = this.view.getBigUint64(this.take(8), true);
    const room = Math.floor((this.limit - this.position) / width);
    if (count > room) throw this.refuse(`at most ${room} items, for which there is room`, String(count));
    return Number(count);
  }

  /** Steps over some bytes; returns where they begin. */
  private take(length: number): number {
    const start = this.position;
    const end = start + length;
    if (end > this.limit) throw this.refuse(`a header of at most ${this.limit} bytes`, `${end} or more`);
    if (end > this.bytes.byteLength) throw new RunsOut();
    this.position = end;
    return start;
  }

  private refuse(expected: string, actual: string, cause?: unknown): CheckpointError {
    const where = ` at byte ${this.position} of the header`;
    return new CheckpointError({ component: this.component, expected: expected + where, actual, cause });
  }
}
