/** What a picture file says of itself before it is decoded. */
export interface PictureHeader {
  readonly format: 'png' | 'jpeg' | 'gif' | 'webp';
  readonly width: number;
  readonly height: number;
  /** Of a JPEG: 1 for grey, 4 for CMYK. */
  readonly channels?: number;
}

/** Reads the size that a PNG, JPEG, GIF or WebP file claims; undefined for anything else, or a header cut short. */
export function readHeader(bytes: Uint8Array): PictureHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return png(view) ?? jpeg(view) ?? gif(view) ?? webp(view);
  } catch (error) {
    // A read past the end.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** https://www.w3.org/TR/png-3/#11IHDR */
function png(view: DataView): PictureHeader | undefined {
  if (view.getUint32(0) !== 0x89504e47 || view.getUint32(4) !== 0x0d0a1a0a) return undefined;
  return { format: 'png', width: view.getUint32(16), height: view.getUint32(20) };
}

/** https://www.w3.org/Graphics/JPEG/itu-t81.pdf, B.2: the first frame header among the marker segments. */
function jpeg(view: DataView): PictureHeader | undefined {
  if (view.getUint16(0) !== 0xffd8) return undefined;
  for (let at = 2; ; ) {
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1; // A fill byte.
      continue;
    }
    // C0 … CF are frame headers, but for the tables C4 and CC and the reserved C8.
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) {
      const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
      return { format: 'jpeg', width, height, channels: view.getUint8(at + 9) };
    }
    const bare = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);
    at += bare ? 2 : 2 + view.getUint16(at + 2);
  }
}

/** https://www.w3.org/Graphics/GIF/spec-gif89a.txt, 18 */
function gif(view: DataView): PictureHeader | undefined {
  if (view.getUint32(0) !== 0x47494638) return undefined;
  return { format: 'gif', width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

/** https://developers.google.com/speed/webp/docs/riff_container */
function webp(view: DataView): PictureHeader | undefined {
  if (view.getUint32(0) !== 0x52494646 || view.getUint32(8) !== 0x57454250) return undefined;
  const chunk = view.getUint32(12);
  const format = 'webp';
  if (chunk === 0x56503858) {
    // 'VP8X': 24 bits each, less one.
    const uint24 = (at: number) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    return { format, width: uint24(24) + 1, height: uint24(27) + 1 };
  }
  if (chunk === 0x5650384c) {
    // 'VP8L': 14 bits each, less one, behind a signature byte.
    const bits = view.getUint32(21, true);
    return { format, width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (chunk !== 0x56503820) return undefined;
  // 'VP8 ': 14 bits each.
  return { format, width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
}
