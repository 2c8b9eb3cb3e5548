import type { CropsPreprocessing, Picture } from '@mmllm/core';
import { type FloatPicture, resizeFloat } from '../resize/resize-float';
import { centred, type Size, type Window } from '../resize/size';
import { checkCounts, checkField } from './check';
import { denseImages } from './dense';
import { type TileGrid, tileGrids, tileViews } from './grid';
import type { HostDense } from './host';
import { normalise, rescale, writePart } from './pixels';

const { fround } = Math;

/**
 * The whole picture, then overlapping crops row by row, float32[views, height, width, 3], and their coverage.
 *
 * Source: Molmo's `overlap-and-resize-c2` (allenai/molmo, olmo/data/model_preprocessor.py). Its own masks lie one view
 * late: row i is the coverage of view i + 1. Here every view has its own.
 *
 * @throws ConfigError for a crop that is not made of whole patches, or an overlap that leaves nothing of it.
 */
export function prepareCrops(pictures: readonly Picture[], preprocessing: CropsPreprocessing): HostDense {
  const { cropSize, patchSize, maxCrops } = preprocessing;
  const [stride, margin] = strideAndMargin(preprocessing);
  const length = cropSize.height * cropSize.width * 3;
  const write = floatWriter(preprocessing);
  const plan = (picture: Picture) => {
    const tiles = bestTiling(
      { height: picture.height - margin, width: picture.width - margin },
      stride,
      maxCrops,
    );
    const canvas = {
      height: tiles.rows * stride.height + margin,
      width: tiles.columns * stride.width + margin,
    };
    const small = placed(picture, cropSize);
    const large = placed(picture, canvas);
    const crops = cropWindows(tiles, cropSize, stride);
    return {
      tiles,
      views: [{ role: 'thumbnail' as const, ...cropSize }, ...tileViews(tiles, cropSize)],
      content: [small, ...crops.map((crop) => seenFrom(crop, large))],
      write(pixels: Float32Array, offset: number) {
        write(pixels, offset, picture, small, [{ top: 0, left: 0, ...cropSize }], length);
        write(pixels, offset + length, picture, large, crops, length);
      },
    };
  };
  return denseImages(pictures, cropSize, plan, patchSize);
}

/** How far neighbouring crops are apart, and the overlap in pixels that the outermost have to themselves. */
function strideAndMargin({ cropSize, patchSize, maxCrops, overlap }: CropsPreprocessing): [Size, number] {
  const { height, width } = cropSize;
  checkCounts({ 'cropSize.height': height, 'cropSize.width': width, patchSize, maxCrops });
  const fits = height % patchSize === 0 && width % patchSize === 0;
  checkField('cropSize', fits, `multiples of ${patchSize}`, cropSize);
  const margin = (overlap[0] + overlap[1]) * patchSize;
  const whole = overlap.every((patches) => Number.isSafeInteger(patches) && patches >= 0);
  checkField('overlap', whole && margin < Math.min(height, width), 'fewer patches than a crop has', overlap);
  return [{ height: height - margin, width: width - margin }, margin];
}

/**
 * The tiling that needs the least enlargement to be filled, else the least reduction; among equals fewer crops, then
 * fewer rows. In single precision. The size is without the margin, so it may be 0 or less: such a side counts as
 * the scale makes of it, as in the source.
 */
function bestTiling(size: Size, stride: Size, maxCrops: number): TileGrid {
  const count = ({ rows, columns }: TileGrid) => rows * columns;
  const tilings = tileGrids(1, maxCrops).sort((a, b) => count(a) - count(b) || a.rows - b.rows);
  const scales = tilings.map(({ rows, columns }) =>
    Math.min(fround((rows * stride.height) / size.height), fround((columns * stride.width) / size.width)),
  );
  const enlarging = scales.filter((scale) => scale >= 1);
  const wanted = enlarging.length > 0 ? Math.min(...enlarging) : Math.max(...scales);
  return tilings[scales.indexOf(wanted)];
}

/** Where the picture comes to lie, aspect kept, in the middle of a canvas. Scaled in single precision, rounded down. */
function placed(picture: Size, canvas: Size): Window {
  const scale = Math.min(fround(canvas.height / picture.height), fround(canvas.width / picture.width));
  const side = (length: number) => Math.max(1, Math.trunc(fround(length * scale)));
  const size = { height: side(picture.height), width: side(picture.width) };
  return { ...centred(size, canvas), ...size };
}

function cropWindows({ rows, columns }: TileGrid, cropSize: Size, stride: Size): Window[] {
  return Array.from({ length: rows * columns }, (_, i) => ({
    top: Math.floor(i / columns) * stride.height,
    left: (i % columns) * stride.width,
    ...cropSize,
  }));
}

/** A rectangle by its place from the top left corner of another. */
const seenFrom = (corner: Window, { top, left, height, width }: Window): Window => ({
  top: top - corner.top,
  left: left - corner.left,
  height,
  width,
});

/** Writes windows of a canvas in which the picture lies at a place, scaled to its size there. */
function floatWriter(preprocessing: CropsPreprocessing) {
  const values = Float32Array.from({ length: 256 }, (_, value) => rescale(value, preprocessing));
  const outside = [0, 1, 2].map((channel) => normalise(0, channel, preprocessing));
  const normalised = ({ data, ...size }: FloatPicture): FloatPicture => ({
    data: data.map((value, i) => normalise(Math.min(value, values[255]), i % 3, preprocessing)),
    ...size,
  });
  return (
    target: Float32Array,
    offset: number,
    picture: Picture,
    place: Window,
    windows: Window[],
    length: number,
  ) => {
    const scaled = normalised(resizeFloat(picture, place, values));
    windows.forEach((window, i) => {
      const part = { ...seenFrom(place, window) };
      writePart(target, offset + i * length, scaled, part, outside, (at, from, end) => {
        target.set(scaled.data.subarray(from, from + end - at), at);
      });
    });
  };
}
