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
