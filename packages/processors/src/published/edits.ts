/** A stretch of a text that gives way to another. Offsets in UTF-16 units. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A text and what was done to it. */
export interface EditedText {
  readonly text: string;
  /** Where a place of the original text lies now: past every edit that ends in front of it. */
  moved(place: number): number;
}

/** @param edits in order, without overlap */
export function edited(original: string, edits: readonly Edit[]): EditedText {
  let text = '';
  let last = 0;
  for (const edit of edits) {
    text += original.slice(last, edit.start) + edit.text;
    last = edit.end;
  }
  return {
    text: text + original.slice(last),
    moved: (place) =>
      edits.reduce(
        (moved, { start, end, text }) => (end <= place ? moved + text.length - (end - start) : moved),
        place,
      ),
  };
}

/** Where a token stands in a text. */
export function placesOf(token: string, text: string): { start: number; end: number }[] {
  const places = [];
  for (let at = text.indexOf(token); at >= 0; at = text.indexOf(token, at + token.length)) {
    places.push({ start: at, end: at + token.length });
  }
  return places;
}

export const insertion = (at: number, text: string): Edit => ({ start: at, end: at, text });
