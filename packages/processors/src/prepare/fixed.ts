import {
  type DenseImages,
  type FixedPreprocessing,
  type Picture,
  PictureError,
  type PreparedImage,
} from '@mmllm/core';
import { maxPixels } from '../pictures/limits';
import { resize } from '../resize/resize';
import type { Size } from '../resize/size';
import { denseImages } from './dense';
import { pixelWriter } from './pixels';

/** One view of one size from each picture: float32[pictures, height, width, 3]. */
export function prepareFixed(pictures: readonly Picture[], preprocessing: FixedPreprocessing): DenseImages {
  const { size } = preprocessing;
  const { write } = pixelWriter(preprocessing);
  const length = size.height * size.width * 3;
  const pixels = new Float32Array(pictures.length * length);
  const images = pictures.map((picture, index): PreparedImage => {
    write(pixels, index * length, fitted(picture, preprocessing), { top: 0, left: 0, ...size });
    const { height, width } = picture;
    return { views: [{ role: 'image', ...size }], original: { height, width } };
  });
  return denseImages(images, pixels, size);
}

function fitted(picture: Picture, { fit, size, resample, background }: FixedPreprocessing): Picture {
  if (fit === 'stretch') return resize(picture, size, resample);
  if (fit === 'pad') return resize(padded(picture, size, background), size, resample);
  const covering = coveringSize(picture, size);
  // Rounded down where the rest is odd, as CLIP's crop is.
  const top = Math.floor((covering.height - size.height) / 2);
  const left = Math.floor((covering.width - size.width) / 2);
  return resize(picture, covering, resample, { top, left, ...size });
}

/** The smallest size of the picture's aspect that covers another. For a square: the shortest edge becomes its side. */
function coveringSize(picture: Size, size: Size): Size {
  if (picture.width * size.height <= size.width * picture.height) {
    return { width: size.width, height: Math.floor((size.width * picture.height) / picture.width) };
  }
  return { width: Math.floor((size.height * picture.width) / picture.height), height: size.height };
}

/**
 * The picture in the middle of the smallest canvas of the wanted aspect. It is padded first and resized then, as
 * LLaVA 1.5 does (`expand2square`, haotian-liu/LLaVA, llava/mm_utils.py).
 */
function padded(picture: Picture, size: Size, background: readonly number[] = [0, 0, 0]): Picture {
  const wide = picture.width * size.height >= size.width * picture.height;
  const width = wide
    ? picture.width
    : Math.max(picture.width, Math.round((picture.height * size.width) / size.height));
  const height = wide
    ? Math.max(picture.height, Math.round((picture.width * size.height) / size.width))
    : picture.height;
  if (width === picture.width && height === picture.height) return picture;
  if (width * height > maxPixels) {
    throw new PictureError({
      component: 'prepareImages',
      expected: `at most ${maxPixels} pixels after padding`,
      actual: `${picture.width}×${picture.height} padded to ${width}×${height}`,
    });
  }
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i += 3) data.set(background, i);
  const top = Math.floor((height - picture.height) / 2);
  const left = Math.floor((width - picture.width) / 2);
  for (let row = 0; row < picture.height; row++) {
    const from = row * picture.width * 3;
    data.set(picture.data.subarray(from, from + picture.width * 3), ((top + row) * width + left) * 3);
  }
  return { data, width, height };
}
