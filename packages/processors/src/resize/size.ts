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
