/** What becomes of transparency: it is dropped, and colours stay as they are, or the picture is laid over white. */
export type Alpha = 'drop' | 'white';

/** RGB of RGBA, in the bytes of Pillow's `convert('RGB')`, or of its `alpha_composite` over opaque white. */
export function withoutAlpha(rgba: Uint8Array | Uint8ClampedArray, alpha: Alpha): Uint8Array {
  const data = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, at = 0; at < data.length; from += 4, at += 3) {
    const opacity = alpha === 'drop' ? 255 : rgba[from + 3];
    data[at] = overWhite(rgba[from], opacity);
    data[at + 1] = overWhite(rgba[from + 1], opacity);
    data[at + 2] = overWhite(rgba[from + 2], opacity);
  }
  return data;
}

/** A byte of a colour over white. Source: `ImagingAlphaComposite` of Pillow, src/libImaging/AlphaComposite.c. */
export function overWhite(value: number, opacity: number): number {
  if (opacity === 255) return value;
  const sum = (value * opacity + 255 * (255 - opacity) + 0x80) << 7;
  return ((sum >> 8) + sum) >> 15;
}
