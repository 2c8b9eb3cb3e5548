import { orientationOf } from '../orient';

/** Colour types of https://www.w3.org/TR/png-3/#11IHDR, and the bits a sample may have. */
export const grey = 0;
export const rgb = 2;
export const indexed = 3;
export const greyAlpha = 4;
export const rgba = 6;
const depths: Readonly<Record<number, readonly number[]>> = {
  [grey]: [1, 2, 4, 8, 16],
  [rgb]: [8, 16],
  [indexed]: [1, 2, 4, 8],
  [greyAlpha]: [8, 16],
  [rgba]: [8, 16],
};

/** A PNG whose pixels are still compressed. */
export interface PngFile {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colourType: number;
  readonly interlaced: boolean;
  /** RGB, of `indexed`. */
  readonly palette: Uint8Array;
  /** Of `indexed` an alpha for each entry, else a colour in 16 bits each. Empty: all is opaque. */
  readonly transparency: Uint8Array;
  /** EXIF's, 1 … 8. */
  readonly orientation: number;
  /** A zlib stream, in parts. */
  readonly compressed: readonly Uint8Array[];
}

/** @throws Error for a file that breaks off, or whose chunks make no sense. */
export function readChunks(bytes: Uint8Array): PngFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks = new Map<string, Uint8Array>();
  const compressed: Uint8Array[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (data.length < length) throw new Error(`the chunk ${type} is cut short`);
    if (type === 'IEND') break;
    if (type === 'IDAT') compressed.push(data);
    else if (!chunks.has(type)) chunks.set(type, data);
    at += 12 + length;
  }
  const header = chunks.get('IHDR');
  if (header?.length !== 13 || view.getUint32(12) !== 0x49484452)
    throw new Error('it does not begin with IHDR');
  const [depth, colourType, compression, filter, interlace] = header.subarray(8);
  const known = depths[colourType]?.includes(depth) && compression === 0 && filter === 0 && interlace <= 1;
  if (!known) throw new Error(`an unknown form: ${header.subarray(8).join(' ')}`);
  if (compressed.length === 0) throw new Error('it has no pixels');
  const none = new Uint8Array();
  return {
    width: view.getUint32(16),
    height: view.getUint32(20),
    depth,
    colourType,
    interlaced: interlace === 1,
    palette: chunks.get('PLTE') ?? none,
    transparency: chunks.get('tRNS') ?? none,
    orientation: orientationOf(chunks.get('eXIf') ?? none),
    compressed,
  };
}
