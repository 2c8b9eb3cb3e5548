/** In pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** A part of a picture, in pixels from its top left corner. */
export interface Window extends Size {
  readonly top: number;
  readonly left: number;
}

/** Where a picture lies in the middle of a canvas; an odd pixel is free at the bottom and at the right. */
export function centred(picture: Size, canvas: Size): { top: number; left: number } {
  return {
    top: Math.floor((canvas.height - picture.height) / 2),
    left: Math.floor((canvas.width - picture.width) / 2),
  };
}
