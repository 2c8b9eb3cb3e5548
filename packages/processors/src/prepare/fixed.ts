import { type FixedPreprocessing, type Picture, PictureError } from '@mmllm/core';
import { cutPicture } from '../pictures/cut';
import { maxPixels } from '../pictures/limits';
import { resize } from '../resize/resize';
import { centred, type Size, type Window } from '../resize/size';
import { checkCounts, checkField } from './check';
import { denseImages } from './dense';
import type { HostDense } from './host';
import { pixelWriter } from './pixels';
import { roundHalfEven } from './rounding';

/**
 * One view of one size from each picture: float32[pictures, height, width, 3].
 *
 * @throws ConfigError for an edge that is no whole number of at least 1, or a short edge beyond the size.
 */
export function prepareFixed(pictures: readonly Picture[], preprocessing: FixedPreprocessing): HostDense {
  const { size, fit, background, shortestEdge = 1, minShortEdge = 1 } = preprocessing;
  checkCounts({ 'size.height': size.height, 'size.width': size.width, shortestEdge, minShortEdge });
  const room = Math.min(size.height, size.width);
  checkField('minShortEdge', minShortEdge <= room, `at most ${room}`, minShortEdge);
  const { write } = pixelWriter(preprocessing, fit === 'letterbox' ? background : undefined);
  return denseImages(pictures, size, (picture) => ({
    views: [{ role: 'image', ...size }],
    write(pixels, offset) {
      const [fitted, part] = fittings[fit](picture, preprocessing);
      write(pixels, offset, fitted, part);
    },
  }));
}

type Fitting = (picture: Picture, preprocessing: FixedPreprocessing) => [Picture, Window];

const fittings: Record<FixedPreprocessing['fit'], Fitting> = {
  stretch: (picture, { size, resample }) => [resize(picture, size, resample), { top: 0, left: 0, ...size }],
  crop: cropped,
  pad: (picture, { size, resample, background }) => [
    resize(padded(picture, size, background), size, resample),
    { top: 0, left: 0, ...size },
  ],
  letterbox(picture, { size, resample, minShortEdge = 1 }) {
    const inside = fittingSize(picture, size, minShortEdge);
    const { top, left } = centred(inside, size);
    return [resize(picture, inside, resample), { top: -top, left: -left, ...size }];
  },
};

function cropped(picture: Picture, { size, resample, shortestEdge }: FixedPreprocessing): [Picture, Window] {
  const covering = shortestEdge ? scaledTo(picture, shortestEdge) : coveringSize(picture, size);
  // The distances round down where the rest is odd, also below 0, as in transformers' `center_crop`: a picture that
  // is smaller than what is cut out lies in the middle of black.
  const top = Math.floor((covering.height - size.height) / 2);
  const left = Math.floor((covering.width - size.width) / 2);
  const part = { top, left, ...size };
  if (covering.height < size.height || covering.width < size.width) {
    return [resize(picture, covering, resample), part];
  }
  return [resize(picture, covering, resample, part), { top: 0, left: 0, ...size }];
}

/** The smallest size of the picture's aspect that covers another. For a square: the shortest edge becomes its side. */
function coveringSize(picture: Size, size: Size): Size {
  if (picture.width * size.height <= size.width * picture.height) {
    return { width: size.width, height: Math.floor((size.width * picture.height) / picture.width) };
  }
  return { width: Math.floor((size.height * picture.width) / picture.height), height: size.height };
}

const scaledTo = (picture: Size, edge: number): Size => coveringSize(picture, { height: edge, width: edge });

/** The longest edge fits, halves round to even, and the other is no less than asked for. */
function fittingSize(picture: Size, size: Size, minShortEdge: number): Size {
  const scale = Math.min(size.height / picture.height, size.width / picture.width);
  return {
    height: Math.max(minShortEdge, roundHalfEven(picture.height * scale)),
    width: Math.max(minShortEdge, roundHalfEven(picture.width * scale)),
  };
}

/**
 * The picture in the middle of the smallest canvas of the wanted aspect. It is padded first and resized then, as
 * LLaVA 1.5 does (`expand2square`, haotian-liu/LLaVA, llava/mm_utils.py).
 */
function padded(picture: Picture, size: Size, background?: readonly number[]): Picture {
  const wide = picture.width * size.height >= size.width * picture.height;
  const width = wide
    ? picture.width
    : Math.max(picture.width, Math.round((picture.height * size.width) / size.height));
  const height = wide
    ? Math.max(picture.height, Math.round((picture.width * size.height) / size.width))
    : picture.height;
  if (width * height > maxPixels) {
    throw new PictureError({
      component: 'prepareImages',
      expected: `at most ${maxPixels} pixels after padding`,
      actual: `${picture.width}×${picture.height} padded to ${width}×${height}`,
    });
  }
  const { top, left } = centred(picture, { height, width });
  return cutPicture(picture, { top: -top, left: -left, height, width }, background);
}
