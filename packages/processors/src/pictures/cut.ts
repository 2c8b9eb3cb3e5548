import type { Picture } from '@mmllm/core';
import type { Window } from '../resize/size';

/** A part of a picture; where it leaves the picture, on any side, it has the background. The picture itself if whole. */
export function cutPicture(
  picture: Picture,
  { top, left, height, width }: Window,
  background: readonly number[] = [0, 0, 0],
): Picture {
  if (top === 0 && left === 0 && height === picture.height && width === picture.width) return picture;
  const data = new Uint8Array(width * height * 3);
  if (background.some((value) => value !== 0)) {
    for (let i = 0; i < data.length; i += 3) data.set(background, i);
  }
  const first = Math.max(0, left);
  const end = Math.min(picture.width, left + width);
  for (let row = Math.max(0, top); row < Math.min(picture.height, top + height) && first < end; row++) {
    const from = row * picture.width;
    const pixels = picture.data.subarray((from + first) * 3, (from + end) * 3);
    data.set(pixels, ((row - top) * width + first - left) * 3);
  }
  return { data, width, height };
}
