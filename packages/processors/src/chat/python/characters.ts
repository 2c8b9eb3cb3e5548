// Python counts code points, JavaScript counts UTF-16 units. They differ only for texts with surrogates.

const surrogate = /[\ud800-\udfff]/;

export const length = (text: string): number => (surrogate.test(text) ? [...text].length : text.length);

/** Its code points; of a text without surrogates the text itself, which is as good as a list of them. */
export const characters = (text: string): string | string[] => (surrogate.test(text) ? [...text] : text);

/** Below, above or 0, by code points. */
export function compareTexts(a: string, b: string): number {
  if (!surrogate.test(a) && !surrogate.test(b)) return a < b ? -1 : Number(a > b);
  const [left, right] = [[...a], [...b]];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i].codePointAt(0)! - right[i].codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
