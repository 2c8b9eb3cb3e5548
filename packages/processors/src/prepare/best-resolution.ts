import type { Size } from '../resize/size';

/**
 * The resolution that keeps most of the picture's own and, among equals, wastes least: the first of such.
 *
 * Source: `select_best_resolution` of LLaVA-NeXT (haotian-liu/LLaVA, llava/mm_utils.py), which Aria uses too.
 */
export function bestResolution({ height, width }: Size, resolutions: readonly Size[]): Size {
  let best = resolutions[0];
  let mostKept = 0;
  let leastWasted = Number.POSITIVE_INFINITY;
  for (const resolution of resolutions) {
    const scale = Math.min(resolution.width / width, resolution.height / height);
    const scaled = Math.floor(width * scale) * Math.floor(height * scale);
    const kept = Math.min(scaled, width * height);
    const wasted = resolution.width * resolution.height - kept;
    if (kept > mostKept || (kept === mostKept && wasted < leastWasted)) {
      best = resolution;
      mostKept = kept;
      leastWasted = wasted;
    }
  }
  return best;
}

/** The largest size of the picture's aspect within a canvas; the free side rounds up. */
export function sizeWithin({ height, width }: Size, canvas: Size): Size {
  const across = canvas.width / width;
  const down = canvas.height / height;
  if (across < down) {
    return { height: Math.min(Math.ceil(height * across), canvas.height), width: canvas.width };
  }
  return { height: canvas.height, width: Math.min(Math.ceil(width * down), canvas.width) };
}
