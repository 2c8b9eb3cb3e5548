import type { Random } from '@mmllm/core';
import { moveShape } from './augment';
import type { Attributes, Example } from './easy-vqa';

/** A picture with a caption for contrastive training. */
export interface Captioned {
  readonly image: Example['picture'];
  readonly caption: string;
  readonly known: Attributes;
}

/**
 * A caption from what the training questions reveal. Colours are learned in a few steps and shapes are not, so the
 * colour is left out often; a picture of which only one thing is known gets that.
 */
export function caption({ color, shape }: Attributes, random: Random): string {
  const draw = random.uniform();
  if (color && shape) {
    if (draw < 0.4) return `a ${shape}`;
    return draw < 0.7 ? `a ${color} shape` : `a ${color} ${shape}`;
  }
  return color ? `a ${color} shape` : `a ${shape}`;
}

/** Whether a caption is true of a picture, as far as is known. */
export function describes(text: string, { color, shape }: Attributes): boolean {
  const [, ...words] = text.split(' ');
  return words.every((word) => word === 'shape' || word === color || word === shape);
}

/** The pictures of which something is known. */
export const captionable = (examples: readonly Example[]): Example[] =>
  examples.filter(({ known }) => known.color || known.shape);

/** An example seen anew: another caption, and the shape at another place. */
export function captioned({ picture, known }: Example, random: Random): Captioned {
  return { caption: caption(known, random), image: moveShape(picture, random), known };
}
