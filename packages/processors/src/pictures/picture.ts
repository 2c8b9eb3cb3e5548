import { type ImageSource, type Picture, PictureError } from '@mmllm/core';

export function isPicture(source: ImageSource): source is Picture {
  return typeof source === 'object' && 'width' in source && 'height' in source && 'data' in source;
}

/** @throws PictureError if the bytes are not as many as the size says. */
export function checkPicture(component: string, { data, width, height }: Picture): void {
  const sides = [width, height].every((side) => Number.isSafeInteger(side) && side >= 1);
  if (sides && data instanceof Uint8Array && data.length === width * height * 3) return;
  throw new PictureError({
    component,
    expected: 'uint8[height, width, 3] with sides of at least 1',
    actual: `${data?.length} values for ${width}×${height}`,
  });
}

/** RGB of RGBA or RGBX: alpha is dropped, not composited, as Pillow's `convert('RGB')` does. */
export function withoutAlpha(rgba: Uint8Array | Uint8ClampedArray, width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, at = 0; at < data.length; from += 4, at += 3) {
    data[at] = rgba[from];
    data[at + 1] = rgba[from + 1];
    data[at + 2] = rgba[from + 2];
  }
  return { data, width, height };
}
