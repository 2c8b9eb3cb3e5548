import type { AnyResPreprocessing, Picture } from '@mmllm/core';
import { resize } from '../resize/resize';
import { centred } from '../resize/size';
import { bestResolution, sizeWithin } from './best-resolution';
import { checkCounts, checkField } from './check';
import { denseImages } from './dense';
import { tileViews, tileWindows } from './grid';
import type { HostDense } from './host';
import { pixelWriter } from './pixels';

/**
 * A thumbnail of the whole, then tiles row by row, float32[views, tileSize, tileSize, 3].
 *
 * Source: AnyRes of LLaVA-NeXT, as transformers' `LlavaNextImageProcessor` has it.
 *
 * @throws ConfigError if there is no resolution, or one is not made of whole tiles.
 */
export function prepareAnyRes(pictures: readonly Picture[], preprocessing: AnyResPreprocessing): HostDense {
  const { tileSize: side, resolutions, resample } = preprocessing;
  checkCounts({ tileSize: side });
  const whole = resolutions.every((size) =>
    [size.height, size.width].every((edge) => edge >= side && edge % side === 0),
  );
  checkField('resolutions', whole && resolutions.length > 0, `multiples of ${side}`, resolutions);
  const square = { height: side, width: side };
  const { write } = pixelWriter(preprocessing);
  return denseImages(pictures, square, (picture) => {
    const canvas = bestResolution(picture, resolutions);
    const tiles = { rows: canvas.height / side, columns: canvas.width / side };
    return {
      tiles,
      views: [{ role: 'thumbnail', ...square }, ...tileViews(tiles, square)],
      write(pixels, offset) {
        write(pixels, offset, resize(picture, square, resample), { top: 0, left: 0, ...square });
        const size = sizeWithin(picture, canvas);
        const large = resize(picture, size, resample);
        tileWindows(tiles, square, centred(size, canvas)).forEach((window, i) => {
          write(pixels, offset + (i + 1) * side * side * 3, large, window);
        });
      },
    };
  });
}
