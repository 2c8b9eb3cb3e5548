/**
 * A 5×7 pixel alphabet, so that the contact sheet needs no font on the machine. Each glyph is seven rows of five
 * bits, the leftmost pixel highest, in base 32 digits (0–9, a–v).
 */
const glyphs: Record<string, string> = {
  a: 'ehhvhhh',
  b: 'uhhuhhu',
  c: 'ehggghe',
  d: 'uhhhhhu',
  e: 'vgguggv',
  f: 'vgguggg',
  g: 'ehgnhhf',
  h: 'hhhvhhh',
  i: 'e44444e',
  j: '72222ic',
  k: 'hikokih',
  l: 'ggggggv',
  m: 'hrllhhh',
  n: 'hhpljhh',
  o: 'ehhhhhe',
  p: 'uhhuggg',
  q: 'ehhhlid',
  r: 'uhhukih',
  s: 'fgge11u',
  t: 'v444444',
  u: 'hhhhhhe',
  v: 'hhhhha4',
  w: 'hhhllla',
  x: 'hha4ahh',
  y: 'hha4444',
  z: 'v1248gv',
  '?': 'eh12404',
  '>': '8421248',
  '.': '0000004',
  '/': '0112448',
  '<': '248g842',
};

export const lineHeight = 9;
export const advance = 6;

/** Breaks text into lines of at most `columns` characters. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= columns)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Calls `plot` for every pixel of a line of text, relative to its upper left corner. */
export function drawText(text: string, plot: (x: number, y: number) => void): void {
  [...text.toLowerCase()].forEach((character, column) => {
    const rows = glyphs[character];
    if (!rows) return;
    for (let y = 0; y < 7; y++) {
      const bits = Number.parseInt(rows[y], 32);
      for (let x = 0; x < 5; x++) if (bits & (16 >> x)) plot(column * advance + x, y);
    }
  });
}
