import { roundHalfEven } from '../../prepare/rounding';

const number = String.raw`\s*-?\d+(?:\.\d+)?\s*`;
const tagged = (name: string, numbers: number) =>
  new RegExp(`<${name}>(${Array(numbers).fill(number).join(',')})</${name}>`, 'g');

const tags = [
  { pattern: tagged('box', 4), open: '<0x00>', close: '<0x01>' },
  { pattern: tagged('point', 2), open: '<0x02>', close: '<0x03>' },
] as const;

/**
 * `<box>top, left, bottom, right</box>` and `<point>x, y</point>` of a prompt as Fuyu was trained on them: coordinates
 * halved, scaled like the picture, rounded with halves to even, and written without anything between them. A tag that
 * holds something else stays as it is.
 *
 * Source: `transform_coordinates` of transformers 5, whose result its processor computes and drops; in earlier releases
 * each number was a token of its own.
 *
 * @param scale height of the resized picture ÷ height of the picture
 */
export function fuyuCoordinates(prompt: string, scale: number): string {
  // The reference stores the factor in single precision, and multiplies in double.
  const factor = Math.fround(scale);
  return tags.reduce(
    (text, { pattern, open, close }) =>
      text.replace(pattern, (_, inner: string) => {
        const scaled = inner.split(',').map((value) => roundHalfEven((Number(value) / 2) * factor));
        return open + scaled.join('') + close;
      }),
    prompt,
  );
}
