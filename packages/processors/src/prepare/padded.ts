import type { PaddedPreprocessing, Picture } from '@mmllm/core';
import { cutPicture } from '../pictures/cut';
import { resize } from '../resize/resize';
import { centred, type Size, type Window } from '../resize/size';
import { bestResolution, sizeWithin } from './best-resolution';
import { checkCounts, checkField } from './check';
import { denseImages, type Plan } from './dense';
import { type TileGrid, tileViews } from './grid';
import type { HostDense } from './host';
import { type PixelWriter, pixelWriter } from './pixels';

/**
 * Squares with the picture in the top left corner, float32[views, longestEdge, longestEdge, 3], and their coverage.
 *
 * Source: Aria's processor (rhymes-ai/Aria, aria/model/vision_processor.py), as transformers' `AriaImageProcessor`
 * has it.
 *
 * @throws ConfigError for a shortest edge beyond the longest.
 */
export function preparePadded(pictures: readonly Picture[], preprocessing: PaddedPreprocessing): HostDense {
  const { patchSize, longestEdge, minShortEdge, splitResolutions } = preprocessing;
  checkCounts({ patchSize, longestEdge, minShortEdge });
  checkField('minShortEdge', minShortEdge <= longestEdge, `at most ${longestEdge}`, minShortEdge);
  checkField('splitResolutions', splitResolutions?.length !== 0, 'at least one', splitResolutions);
  const writer = pixelWriter(preprocessing);
  const square = { height: longestEdge, width: longestEdge };
  const plan = splitResolutions ? splitUp : whole;
  return denseImages(pictures, square, (picture) => plan(picture, preprocessing, writer), patchSize);
}

function whole(picture: Picture, preprocessing: PaddedPreprocessing, writer: PixelWriter): Plan {
  const { longestEdge: side } = preprocessing;
  const size = scaledSize(picture, preprocessing);
  return {
    views: [{ role: 'image', height: side, width: side }],
    content: [{ top: 0, left: 0, ...size }],
    write: (pixels, offset) => writeScaled(pixels, offset, picture, preprocessing, writer),
  };
}

/** The picture in the middle of the best resolution, cut into tiles that are scaled and filled up one by one. */
function splitUp(picture: Picture, preprocessing: PaddedPreprocessing, writer: PixelWriter): Plan {
  const { longestEdge: side, splitResolutions = [], resample } = preprocessing;
  const canvas = bestResolution(picture, splitResolutions);
  const tiles = { rows: Math.ceil(canvas.height / side), columns: Math.ceil(canvas.width / side) };
  const parts = partsOf(canvas, tiles, side);
  return {
    tiles,
    views: tileViews(tiles, { height: side, width: side }),
    content: parts.map((part) => ({ top: 0, left: 0, ...scaledSize(part, preprocessing) })),
    write(pixels, offset) {
      const size = sizeWithin(picture, canvas);
      const { top, left } = centred(size, canvas);
      const large = resize(picture, size, resample);
      parts.forEach((part, i) => {
        const tile = cutPicture(large, { ...part, top: part.top - top, left: part.left - left });
        writeScaled(pixels, offset + i * side * side * 3, tile, preprocessing, writer);
      });
    },
  };
}

/** The tiles of a canvas row by row; the last ones are smaller where it is not made of whole tiles. */
function partsOf(canvas: Size, { rows, columns }: TileGrid, side: number): Window[] {
  return Array.from({ length: rows * columns }, (_, i) => {
    const top = Math.floor(i / columns) * side;
    const left = (i % columns) * side;
    const height = Math.min(side, canvas.height - top);
    return { top, left, height, width: Math.min(side, canvas.width - left) };
  });
}

function writeScaled(
  pixels: Float32Array,
  offset: number,
  picture: Picture,
  preprocessing: PaddedPreprocessing,
  { write }: PixelWriter,
): void {
  const { longestEdge: side, resample } = preprocessing;
  const scaled = resize(picture, scaledSize(picture, preprocessing), resample);
  write(pixels, offset, scaled, { top: 0, left: 0, height: side, width: side });
}

function scaledSize({ height, width }: Size, { longestEdge, minShortEdge }: PaddedPreprocessing): Size {
  const scale = longestEdge / Math.max(height, width);
  const short = (edge: number) => Math.max(Math.floor(edge * scale), minShortEdge);
  if (width >= height) return { height: short(height), width: longestEdge };
  return { height: longestEdge, width: short(width) };
}
