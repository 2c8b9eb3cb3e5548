/** The first frame of a GIF, still compressed. */
export interface GifFrame {
  /** Of the whole picture. */
  readonly width: number;
  readonly height: number;
  /** Where the frame lies in it. */
  readonly left: number;
  readonly top: number;
  readonly columns: number;
  readonly rows: number;
  readonly interlaced: boolean;
  /** RGB; undefined where indices are grey values. */
  readonly palette?: Uint8Array;
  /** Index of what is transparent. */
  readonly clear?: number;
  /** Bits of an index. */
  readonly bits: number;
  readonly compressed: Uint8Array;
}

/** Reads on from a place, over and over. @throws RangeError past the end. */
class Cursor {
  at: number;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  byte(): number {
    return this.#view.getUint8(this.at++);
  }

  short(): number {
    this.at += 2;
    return this.#view.getUint16(this.at - 2, true);
  }

  take(length: number): Uint8Array {
    this.at += length;
    if (this.at > this.#bytes.length) throw new RangeError('it is cut short');
    return this.#bytes.subarray(this.at - length, this.at);
  }

  /** The blocks up to the empty one. */
  blocks(): Uint8Array[] {
    const found: Uint8Array[] = [];
    for (let length = this.byte(); length > 0; length = this.byte()) found.push(this.take(length));
    return found;
  }

  /** The colours that flags tell of; undefined where there are none. */
  palette(flags: number): Uint8Array | undefined {
    return flags & 0x80 ? this.take(3 << ((flags & 7) + 1)) : undefined;
  }
}

/** Source: https://www.w3.org/Graphics/GIF/spec-gif89a.txt. @throws Error for a file without a whole frame. */
export function readFrame(bytes: Uint8Array): GifFrame {
  const cursor = new Cursor(bytes, 6);
  const [canvasWidth, canvasHeight] = [cursor.short(), cursor.short()];
  const [flags] = cursor.take(3);
  const shared = cursor.palette(flags);
  let clear: number | undefined;
  for (;;) {
    const kind = cursor.byte();
    if (kind === 0x2c) break;
    if (kind === 0x3b) throw new Error('it has no frame');
    if (kind !== 0x21) continue;
    const control = cursor.byte() === 0xf9;
    const [block = new Uint8Array()] = cursor.blocks();
    if (control) clear = block[0] & 1 ? block[3] : undefined;
  }
  const [left, top, columns, rows] = [cursor.short(), cursor.short(), cursor.short(), cursor.short()];
  const local = cursor.byte();
  const palette = cursor.palette(local) ?? shared;
  const bits = cursor.byte();
  return {
    // A frame that is larger than its picture makes it larger, as in Pillow.
    width: Math.max(canvasWidth, left + columns),
    height: Math.max(canvasHeight, top + rows),
    left,
    top,
    columns,
    rows,
    interlaced: (local & 0x40) !== 0,
    palette: palette && isGreyRamp(palette) ? undefined : palette,
    clear,
    bits,
    compressed: joined(cursor.blocks()),
  };
}

const isGreyRamp = (palette: Uint8Array): boolean => palette.every((value, i) => value === Math.floor(i / 3));

function joined(blocks: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const block of blocks) {
    result.set(block, at);
    at += block.length;
  }
  return result;
}
