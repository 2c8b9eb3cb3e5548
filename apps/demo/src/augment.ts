import type { Picture, Random } from '@mmllm/core';

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * The picture's shape at another place, and half the time mirrored: neither changes its colour or its kind. The
 * shape is what differs from the plain background. It is never cut; one that the picture's edge cuts already stays
 * at that edge.
 */
export function moveShape(picture: Picture, random: Random): Picture {
  const { width, height, data } = picture;
  const box = shapeBox(picture);
  const atSide = box.left === 0 || box.right === width;
  const atTopOrBottom = box.top === 0 || box.bottom === height;
  const mirrored = !atSide && random.uniform() < 0.5;
  const left = atSide ? box.left : random.integer(width - (box.right - box.left) + 1);
  const top = atTopOrBottom ? box.top : random.integer(height - (box.bottom - box.top) + 1);
  const moved = new Uint8Array(data.length);
  for (let offset = 0; offset < moved.length; offset += 3) moved.set(data.subarray(0, 3), offset);
  for (let y = box.top; y < box.bottom; y++) {
    for (let x = box.left; x < box.right; x++) {
      const from = 3 * (y * width + x);
      const column = mirrored ? box.right - 1 - x : x - box.left;
      moved.set(data.subarray(from, from + 3), 3 * ((y - box.top + top) * width + left + column));
    }
  }
  return { data: moved, width, height };
}

const boxes = new WeakMap<Picture, Box>();

/** The smallest box around all pixels unlike the one in the corner. */
function shapeBox(picture: Picture): Box {
  const known = boxes.get(picture);
  if (known) return known;
  const { data, width, height } = picture;
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const offset = 3 * (y * width + x);
      if (data[offset] === data[0] && data[offset + 1] === data[1] && data[offset + 2] === data[2]) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
    }
  }
  const box = right > left ? { left, top, right, bottom } : { left: 0, top: 0, right: width, bottom: height };
  boxes.set(picture, box);
  return box;
}
