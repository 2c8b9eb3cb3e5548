import { type Alpha, overWhite } from '../alpha';
import { grey, greyAlpha, indexed, type PngFile, rgb } from './chunks';

/** Writes pixel `i` of a row as RGB, from `at` on. */
export type WritePixel = (row: Uint8Array, i: number, target: Uint8Array, at: number) => void;

/** Samples of a pixel. */
export const channelsOf = (colourType: number): number =>
  colourType === rgb
    ? 3
    : colourType === greyAlpha
      ? 2
      : colourType === grey || colourType === indexed
        ? 1
        : 4;

/**
 * As Pillow reads pixels. Of 16 bits the upper 8 count, but grey of 16 bits is cut off at 255; and a transparent
 * colour is compared with what became bytes, so that it hardly ever matters where samples have other than 8 bits.
 */
export function pixelReader(file: PngFile, alpha: Alpha): WritePixel {
  const { colourType, depth } = file;
  if (colourType === indexed) return fromPalette(file, alpha);
  const channels = channelsOf(colourType);
  const sample = sampleReader(depth, colourType === grey);
  const colours = channels < 3 ? [0, 0, 0] : [0, 1, 2];
  const opacityAt = channels % 2 === 0 ? channels - 1 : undefined;
  const clear = alpha === 'white' ? clearColour(file) : undefined;
  return (row, i, target, at) => {
    const from = i * channels;
    for (let c = 0; c < 3; c++) target[at + c] = sample(row, from + colours[c]);
    if (alpha === 'drop') return;
    let opacity = opacityAt === undefined ? 255 : sample(row, from + opacityAt);
    if (clear?.every((value, c) => value === target[at + c])) opacity = 0;
    if (opacity < 255) for (let c = 0; c < 3; c++) target[at + c] = overWhite(target[at + c], opacity);
  };
}

function fromPalette({ palette, transparency, depth }: PngFile, alpha: Alpha): WritePixel {
  // Colours that the file does not have are black.
  const colours = new Uint8Array(3 * 256);
  colours.set(palette.subarray(0, 3 * 256));
  if (alpha === 'white') {
    transparency.subarray(0, 256).forEach((opacity, entry) => {
      for (let i = 3 * entry; i < 3 * entry + 3; i++) colours[i] = overWhite(colours[i], opacity);
    });
  }
  const index = bitReader(depth);
  return (row, i, target, at) => {
    const from = 3 * index(row, i);
    target[at] = colours[from];
    target[at + 1] = colours[from + 1];
    target[at + 2] = colours[from + 2];
  };
}

type ReadSample = (row: Uint8Array, i: number) => number;

function sampleReader(depth: number, isGrey: boolean): ReadSample {
  if (depth === 16)
    return isGrey ? (row, i) => (row[2 * i] > 0 ? 255 : row[2 * i + 1]) : (row, i) => row[2 * i];
  const read = bitReader(depth);
  const scale = 255 / (2 ** depth - 1);
  return scale === 1 ? read : (row, i) => read(row, i) * scale;
}

/** Samples of up to 8 bits, the first in the upper ones. */
function bitReader(depth: number): ReadSample {
  if (depth === 8) return (row, i) => row[i];
  const perByte = 8 / depth;
  const mask = 2 ** depth - 1;
  return (row, i) => (row[Math.floor(i / perByte)] >> (8 - depth * ((i % perByte) + 1))) & mask;
}

/** The colour that stands for nothing; undefined where there is none. */
function clearColour({ colourType, depth, transparency }: PngFile): number[] | undefined {
  const count = colourType === grey ? 1 : colourType === rgb ? 3 : 0;
  if (count === 0 || transparency.length < 2 * count || (colourType === grey && depth === 16))
    return undefined;
  const values = Array.from(
    { length: count },
    (_, c) => (transparency[2 * c] << 8) | transparency[2 * c + 1],
  );
  if (depth === 1) return Array(3).fill(values[0] > 0 ? 255 : 0);
  return count === 1 ? Array(3).fill(values[0]) : values;
}
